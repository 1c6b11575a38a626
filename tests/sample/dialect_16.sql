-- dialect_16.sql - what 16 can hold, and older ones, too, in other words.
\set ON_ERROR_STOP on
SET client_min_messages = error;
BEGIN;
CREATE SUBSCRIPTION sub_16 CONNECTION 'dbname=nowhere' PUBLICATION pub
    WITH (connect = false, slot_name = NONE, streaming = parallel);
CREATE SUBSCRIPTION sub_16_owner CONNECTION 'dbname=nowhere' PUBLICATION pub
    WITH (connect = false, slot_name = NONE, streaming = off, run_as_owner = true);
COMMIT;
