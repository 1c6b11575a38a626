-- narrow - pgbench's accounts with their filler: three integers and 84 blanks, where the cost of a row shows.

-- part: before
CREATE TABLE pgbench_branches (bid integer PRIMARY KEY, bbalance integer, filler character(88));
INSERT INTO pgbench_branches SELECT n, 0 FROM generate_series(1, 1 + (:rows) / 100000) AS n;
CREATE TABLE pgbench_accounts (aid integer NOT NULL, bid integer, abalance integer, filler character(84));

-- part: fill
INSERT INTO pgbench_accounts
SELECT i, 1 + i / 100000, hashint8extended(i, 1) % 10000, '' FROM generate_series(:lo, :hi) AS i;

-- part: after
ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid);
CREATE INDEX pgbench_accounts_bid ON pgbench_accounts (bid);
CREATE INDEX pgbench_accounts_abalance ON pgbench_accounts (abalance);
ALTER TABLE pgbench_accounts ADD FOREIGN KEY (bid) REFERENCES pgbench_branches;
