-- terabyte - a table that holds little and gives out much: 100 MB of text a row, some 0.4 MB on disk.
--
-- The text is a block of 17 kB again and again, which the server's compression keeps short; what leaves the server is all of it.
-- Eight texts are made; the other rows take over their compressed form as it lies.

-- part: before
CREATE TABLE bodies (id bigint, body text COMPRESSION :how);
INSERT INTO bodies
SELECT n, substr(repeat(block, 1 + 100000000 / length(block)), 1, 100000000)
FROM (SELECT n, string_agg(md5((n * 1000 + i)::text) || ' of order ' || i || ' was returned to the warehouse', E'.\n' ORDER BY i)
        AS block FROM generate_series(1, 8) AS n, generate_series(1, 200) AS i GROUP BY n) AS blocks;
CREATE TABLE owners (id bigint PRIMARY KEY, name text NOT NULL);
INSERT INTO owners SELECT n, 'owner-' || n FROM generate_series(1, 1000) AS n;
CREATE TABLE archive (id bigint NOT NULL, owner text NOT NULL, body text COMPRESSION :how);

-- part: fill
INSERT INTO archive SELECT i, 'owner-' || i % 1000, bodies.body
FROM generate_series(:lo, :hi) AS i JOIN bodies ON bodies.id = 1 + i % 8;

-- part: after
DROP TABLE bodies;
