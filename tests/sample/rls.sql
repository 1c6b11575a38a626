-- rls.sql - a table with row-level security.  It stands alone because a dump by anyone but a superuser
-- must fail on it: a user whom a policy keeps from rows would else make a partial dump.
\set ON_ERROR_STOP on
BEGIN;
CREATE TABLE public.secrets (id integer PRIMARY KEY, owner name NOT NULL, secret text);
INSERT INTO public.secrets SELECT n, CASE WHEN n % 2 = 0 THEN 'shop_reader' ELSE 'postgres' END, 'secret ' || n FROM generate_series(1, 100) AS n;
ALTER TABLE public.secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY own_secrets ON public.secrets USING (owner = CURRENT_USER);
GRANT SELECT ON public.secrets TO shop_reader;
COMMIT;
