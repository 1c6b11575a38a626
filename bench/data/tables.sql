-- tables - as many small tables as rows says, of fifty rows each.

-- part: before

-- part: fill
DO $$
DECLARE
    lo int := current_setting('bench.lo');
    hi int := current_setting('bench.hi');
BEGIN
    FOR n IN lo .. hi LOOP
        EXECUTE format('CREATE TABLE small_%s (id integer PRIMARY KEY, name text NOT NULL, amount numeric, at timestamptz)',
            to_char(n, 'FM00000'));
        EXECUTE format('INSERT INTO small_%s SELECT i, %L || i, i * 1.25, timestamptz %L + i * interval %L
            FROM generate_series(1, 50) AS i', to_char(n, 'FM00000'), 'name ' || n || '-', '2024-01-01 00:00+00', '1 h');
        IF n % 100 = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
END $$;

-- part: after
