-- bytea - files of 2 to 18 kB, of which half the bytes are random; COPY writes two digits for each.

-- part: before
CREATE TABLE files (id bigint PRIMARY KEY, name text NOT NULL, content bytea NOT NULL);

-- part: fill
INSERT INTO files
SELECT i, 'file-' || i || '.bin', (
    SELECT string_agg(sha512((i::text || ' ' || j)::bytea) || convert_to(rpad('header ' || j % 7, 64, 'abcdef'), 'UTF8'), '')
    FROM generate_series(1, 16 + (hashint8extended(i, 1) & 127)) AS j)
FROM generate_series(:lo, :hi) AS i;

-- part: after
