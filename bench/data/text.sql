-- text - long, TOASTed documents of 4 to 36 kB.

-- part: before
CREATE TABLE documents (id bigint PRIMARY KEY, title text NOT NULL, body text NOT NULL);

-- part: fill
INSERT INTO documents
SELECT i, 'Document ' || i, (
    SELECT string_agg(md5((hashint8extended(j * i, 2) % 4096)::text) || ' of order ' || hashint8extended(i, j) % 100000
        || ' was returned to the warehouse', E'.\n')
    FROM generate_series(1, 48 + (hashint8extended(i, 1) & 383)) AS j)
FROM generate_series(:lo, :hi) AS i;

-- part: after
