-- sizes - the rows of wide again and again, until there are as many as rows says.  Unlogged, without an index:
-- only dumps are measured on it.

-- part: before
CREATE UNLOGGED TABLE block AS SELECT * FROM people LIMIT 250000;
DROP TABLE people, cities;
CREATE UNLOGGED TABLE big (LIKE block);

-- part: fill
DO $$
DECLARE
    missing bigint := 1 + current_setting('bench.hi')::bigint - current_setting('bench.lo')::bigint;
    done bigint;
BEGIN
    WHILE missing > 0 LOOP
        INSERT INTO big SELECT * FROM block LIMIT missing;
        GET DIAGNOSTICS done = ROW_COUNT;
        missing := missing - done;
    END LOOP;
END $$;

-- part: after
DROP TABLE block;
