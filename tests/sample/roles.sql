-- roles.sql - the roles that the sample's owners and grants name.  Roles belong to a cluster, not to a
-- database, so they are made once per server, before shop.sql and zoo.sql.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['shop_owner', 'shop_reader', 'Zoo "Keeper"'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I', wanted);
        END IF;
    END LOOP;
END
$$;
