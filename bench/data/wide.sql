-- wide - mixed, mostly text: e-mail, phone, dates, numerics, jsonb; 340 bytes a row in COPY's text format.
--
-- Every value comes of a hash of the row's number, so the rows are the same on every run, in whatever order
-- the sessions that fill it write them.  The words of a note are drawn as words of a language are, few of them
-- often; identifiers and amounts are random: zstd -3 makes about a third of it, as of real tables.
--
-- The variable rows is the whole; lo and hi are what one of the filling sessions has to write.

-- part: before
CREATE TABLE words (list text[]);
INSERT INTO words VALUES (string_to_array(
    'the of and to in a is that for was on with as it by be at from are this have not or an has '
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
    'recommendation implementation requirement specification architecture', ' '));

-- Six words each, short ones more often than long ones.
CREATE TABLE fragments AS
SELECT n AS id, (SELECT string_agg(list[1 + floor(cardinality(list)
        * ((hashint8extended(n, w) & 65535) / 65536.0) ^ 2)::int], ' ' ORDER BY w)
    FROM words, generate_series(1, 6) AS w) AS text
FROM generate_series(0, 65535) AS n;
ANALYZE fragments;

CREATE TABLE cities (id integer PRIMARY KEY, name text NOT NULL);
INSERT INTO cities SELECT ordinality, name FROM unnest(string_to_array(
    'Berlin,Lyon,Porto,Kraków,Turin,Göteborg,Utrecht,Bergen,Valencia,Brno,Leeds,Ghent,Aarhus,Tartu,'
    'Graz,Basel,Cork,Malmö,Bilbao,Gdańsk', ',')) WITH ORDINALITY AS city (name);
CREATE TABLE people (
    id bigint NOT NULL, key uuid NOT NULL, first_name text NOT NULL, last_name text NOT NULL,
    email varchar(100) NOT NULL, phone varchar(40), birth_date date, street text, city_id integer NOT NULL,
    created_at timestamptz NOT NULL, updated_at timestamptz, balance numeric(12, 2), active boolean NOT NULL,
    settings jsonb, note text);

-- part: fill
SET enable_nestloop = off;
SET enable_mergejoin = off;
SET work_mem = '64MB';
INSERT INTO people
SELECT i, md5(a::text)::uuid, first_name, last_name,
    lower(translate(first_name || '.' || last_name, '''', '')) || d % 9973 || '@' || plan || '.example',
    '+' || 30 + c % 20 || ' ' || 100 + a % 900 || ' ' || 1000000 + b % 8999999,
    date '1940-01-01' + (b >> 7 & 16383)::int,
    1 + c % 250 || ' ' || street || ' ' || (ARRAY['Street', 'Road', 'Lane', 'Avenue', 'Way'])[1 + d % 5],
    1 + d % 20,
    timestamptz '2019-01-01 00:00:00+00' + i * interval '61 s' + (c & 4095) * interval '1 s',
    CASE WHEN i % 3 <> 0 THEN timestamptz '2019-01-01 00:00:00+00' + i * interval '61 s' + (d & 33554431) * interval '1 s' END,
    ((a % 1000)::numeric ^ 2 * (b % 20) + c % 100) / 100, i % 17 <> 0,
    jsonb_build_object('plan', plan, 'visits', b % 5000, 'tags', jsonb_build_array(street, c % 4000)),
    CASE WHEN i % 10 <> 0 THEN one.text || CASE a & 3 WHEN 0 THEN ', ' WHEN 1 THEN E'.\n' ELSE ' ' END || two.text
        || CASE WHEN b & 4096 <> 0 THEN ' ' || three.text || '.' ELSE '' END END
FROM (SELECT i, a, b, c, d,
        (ARRAY['Anna', 'Ben', 'Clara', 'David', 'Emma', 'Felix', 'Greta', 'Hugo', 'Ida', 'Jonas', 'Klara', 'Leon', 'Marie',
            'Noah', 'Olivia', 'Paul', 'Rosa', 'Simon', 'Thea', 'Victor', 'Zoë', 'Amélie', 'Bjørn', 'Carlos', 'Dorothea',
            'Elif', 'François', 'Giulia', 'Henrik', 'Irène', 'José', 'Małgorzata'])[1 + a % 32] AS first_name,
        (ARRAY['Adler', 'Becker', 'Costa', 'Dubois', 'Eriksen', 'Fischer', 'García', 'Hoffmann', 'Ivanova', 'Jansen',
            'Kowalski', 'Lefebvre', 'Müller', 'Nakamura', 'Olsen', 'Petrov', 'Quist', 'Rossi', 'Schäfer', 'Takahashi',
            'Ulrich', 'Vogel', 'Weber', 'Yılmaz', 'Zimmermann', 'Andersson', 'Bianchi', 'Chen', 'Dvořák', 'O''Brien',
            'Papadopoulos', 'Rasmussen'])[1 + b % 32] AS last_name,
        (ARRAY['basic', 'premium', 'annual', 'monthly', 'trial', 'partner'])[1 + c % 6] AS plan,
        (ARRAY['Main', 'Station', 'Mill', 'Church', 'Park', 'Harbour', 'Garden', 'Hill', 'Queen', 'Market'])[1 + d % 10]
            AS street
    FROM (SELECT i, hashint8extended(i, 1) & 9223372036854775807 AS a, hashint8extended(i, 2) & 9223372036854775807 AS b,
            hashint8extended(i, 3) & 9223372036854775807 AS c, hashint8extended(i, 4) & 9223372036854775807 AS d
        FROM generate_series(:lo, :hi) AS i) AS hashes) AS drawn
JOIN fragments AS one ON one.id = (a >> 20 & 65535) JOIN fragments AS two ON two.id = (b >> 20 & 65535)
JOIN fragments AS three ON three.id = (c >> 20 & 65535);

-- part: after
DROP TABLE words, fragments;
ALTER TABLE people ADD PRIMARY KEY (id);
CREATE INDEX people_email ON people (email);
CREATE INDEX people_name ON people (last_name, first_name);
CREATE INDEX people_created ON people (created_at);
ALTER TABLE people ADD FOREIGN KEY (city_id) REFERENCES cities;
