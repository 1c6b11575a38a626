-- partitions - one table of 1,000 partitions, a day in each.

-- part: before
CREATE TABLE events (id bigint NOT NULL, day date NOT NULL, kind text NOT NULL, actor integer NOT NULL, payload text)
    PARTITION BY RANGE (day);
DO $$
BEGIN
    FOR n IN 0 .. 999 LOOP
        EXECUTE format('CREATE TABLE events_%s PARTITION OF events FOR VALUES FROM (%L) TO (%L)', to_char(n, 'FM0000'),
            date '2020-01-01' + n, date '2020-01-01' + n + 1);
    END LOOP;
END $$;

-- part: fill
INSERT INTO events
SELECT i, date '2020-01-01' + (i % 1000)::int, (ARRAY['opened', 'paid', 'sent', 'returned'])[1 + i % 4],
    hashint8extended(i, 1) & 65535, 'payload ' || md5(i::text)
FROM generate_series(:lo, :hi) AS i;

-- part: after
ALTER TABLE events ADD PRIMARY KEY (id, day);
