-- data.sql - what bench/run.sh dumps.  Variables: wide_rows, narrow_rows.
--
-- people    wide, mixed, mostly text; about 525 bytes a row in COPY's text format.  The words of a note are
--           drawn as words of a language are, few of them often; identifiers and amounts are random: zstd
--           makes about a third of it, as of real tables.
-- accounts  narrow integers, as pgbench's accounts without the filler, where the cost of a row shows.
--
-- The seed makes it the same data on every run and machine, as long as the server's random() is.
\set QUIET on
SET synchronous_commit = off;
SET work_mem = '64MB';
SELECT setseed(0.42) \g /dev/null

CREATE UNLOGGED TABLE words (list text[], first_names text[], last_names text[], cities text[], streets text[]);
INSERT INTO words VALUES (
    string_to_array('the of and to in a is that for was on with as it by be at from are this have not or an has '
        'but were their which one been more you all will would who about when there can no if out up so said what '
        'its than into them only some could time these two may then do first any my now such like our over me even '
        'most made after also did many before must through back years where much your way well down should because '
        'each just those people how too little state good very make world still own see men work long get here '
        'between both life being under never day same another know while last might us great old year off come '
        'since against go came right used take three order customer delivery invoice payment account request '
        'returned shipping address support ticket refund contract monthly annual premium basic upgrade cancelled '
        'pending approved rejected waiting confirmed reminder discount voucher expired renewed subscription '
        'telephone called again tomorrow morning afternoon warehouse damaged replacement package courier arrived '
        'missing quality complaint resolved satisfied manager escalated department technical installation '
        'configuration password reset login error browser application version update network connection slow '
        'response server database backup restore complete failed retry schedule appointment visit inspection '
        'measure kitchen garden window furniture bicycle machine engine battery adapter cable printer monitor '
        'keyboard software licence training workshop conference travel hotel reservation flight passenger '
        'insurance policy claim accident report document signature original copy translation certificate medical '
        'prescription laboratory sample temperature pressure humidity agriculture harvest vineyard restaurant '
        'breakfast vegetarian allergy ingredient supplier wholesale retail inventory shortage forecast quarterly '
        'budget estimate approval committee municipal regional international regulation compliance audit '
        'recommendation implementation requirement specification architecture', ' '),
    string_to_array('Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Klara Leon Marie Noah Olivia Paul Rosa '
        'Simon Thea Victor Zoë Amélie Bjørn Carlos Dorothea Elif François Giulia Henrik Irène José Katarzyna Lars '
        'Małgorzata Nikolai Ömer Priya Quentin Ruth Søren Tomasz Ursula Valentina Wei Xavier Yuki Zainab Ahmed', ' '),
    string_to_array('Adler Becker Costa Dubois Eriksen Fischer García Hoffmann Ivanova Jansen Kowalski Lefebvre '
        'Müller Nakamura Olsen Petrov Quist Rossi Schäfer Takahashi Ulrich Vogel Weber Yılmaz Zimmermann Andersson '
        'Bianchi Chen Dvořák Esposito Fernández Grünwald Haddad Iversen Johansson Kumar Lindqvist Moreau Nguyen '
        'O''Brien Papadopoulos Rasmussen Silva Tanaka Underwood Varga Wójcik Yamamoto Zhang', ' '),
    string_to_array('Berlin,Lyon,Porto,Kraków,Turin,Göteborg,Utrecht,Bergen,Valencia,Brno,Leeds,Ghent,Aarhus,Tartu,'
        'Graz,Basel,Cork,Malmö,Bilbao,Gdańsk', ','),
    string_to_array('Main Street,Station Road,Mill Lane,Church Street,Park Avenue,Harbour Way,Garden Row,Hill Road,'
        'Queen Street,Market Square,River Walk,School Lane', ','));

-- An array inside plpgsql is taken apart once, not once for every word.
CREATE FUNCTION fill_people(rows bigint) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    words text[]; first_names text[]; last_names text[]; cities text[]; streets text[];
    first_name text; last_name text; note text; moment timestamptz;
    n int;
BEGIN
    SELECT w.list, w.first_names, w.last_names, w.cities, w.streets
        INTO words, first_names, last_names, cities, streets FROM words w;
    n := cardinality(words);
    FOR i IN 1 .. rows LOOP
        first_name := first_names[1 + floor(random() * cardinality(first_names))];
        last_name := last_names[1 + floor(random() * cardinality(last_names))];
        moment := timestamptz '2019-01-01 00:00:00+00' + i * interval '61.7 s' + random() * interval '1 h';
        note := NULL;
        IF i % 10 <> 0 THEN
            note := words[1 + floor(n * random() ^ 2)];
            FOR j IN 1 .. 16 + floor(36 * random()) LOOP
                note := note || CASE WHEN j % 19 = 0 THEN E'.\n' WHEN j % 7 = 0 THEN ', ' ELSE ' ' END
                    || words[1 + floor(n * random() ^ 2)];
            END LOOP;
        END IF;
        INSERT INTO people VALUES (
            i, md5(random()::text)::uuid, first_name, last_name,
            lower(translate(first_name || '.' || last_name, '''', '')) || floor(random() * 10000) || '@'
                || words[100 + floor(random() * (n - 100))] || '.example',
            '+' || 30 + floor(random() * 20) || ' ' || floor(100 + random() * 900) || ' ' || floor(1000000 + random() * 8999999),
            date '1940-01-01' + floor(random() * 25000)::int,
            floor(1 + random() * 250) || ' ' || streets[1 + floor(random() * cardinality(streets))],
            cities[1 + floor(random() * cardinality(cities))],
            moment, CASE WHEN i % 3 <> 0 THEN moment + random() * interval '400 days' END,
            round((random() ^ 3 * 20000 - 500)::numeric, 2), random() * 100, i % 17 <> 0,
            jsonb_build_object('plan', words[150 + floor(random() * 12)], 'visits', floor(random() * 5000),
                'newsletter', random() < 0.3, 'tags', jsonb_build_array(words[120 + floor(random() * 90)],
                words[120 + floor(random() * 90)]), 'last_device', substr(md5(random()::text), 1, 12)),
            note);
    END LOOP;
END
$body$;

CREATE TABLE people (
    id bigint NOT NULL, key uuid NOT NULL, first_name text NOT NULL, last_name text NOT NULL, email varchar(100) NOT NULL,
    phone varchar(40), birth_date date, street text, city text, created_at timestamptz NOT NULL, updated_at timestamptz,
    balance numeric(12, 2), score double precision, active boolean NOT NULL, settings jsonb, note text);
CREATE TABLE accounts (aid integer NOT NULL, bid integer NOT NULL, abalance integer NOT NULL);

SELECT fill_people(:wide_rows) \g /dev/null
INSERT INTO accounts SELECT i, 1 + i / 100000, floor(random() * 20000 - 10000) FROM generate_series(1, :narrow_rows) AS i;
DROP FUNCTION fill_people;
DROP TABLE words;

-- No run shall pay for another one's hint bits.
VACUUM (FREEZE, ANALYZE) people;
VACUUM (FREEZE, ANALYZE) accounts;
