"""The tables of a file of item records, and the way to them from those of earlier versions."""

import sqlite3
from contextlib import closing
from functools import lru_cache

APPLICATION_ID = 0x45574153  # "EWAS": tells our files from every other SQLite file
SCHEMA_VERSION = 7
# The sequence alone orders the records: the wall clock may be set back. Crops lie apart, so that
# they can go before the records. What was added later stands last, as ALTER TABLE leaves it.
# A search reads the narrow `items_to_search` from its end and not the wide table; the line only
# ever appends to it. The other two indexes hold only what waits for review, or was reviewed.
# A code goes with the crop of its item, which is nothing to review without one.
_REVIEW_COLUMNS = ", grouped INTEGER, for_training INTEGER NOT NULL DEFAULT 1"
_CODES = """
CREATE TABLE codes (
    sequence INTEGER PRIMARY KEY REFERENCES crops ON DELETE CASCADE, code BLOB NOT NULL);
"""
_REVIEWS = f"""
CREATE TABLE reviews (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    sequence INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
    label TEXT NOT NULL, no_class TEXT NOT NULL, reviewer TEXT NOT NULL, reviewed_at REAL,
    undone_by TEXT, undone_at REAL{_REVIEW_COLUMNS});
CREATE INDEX reviews_by_item ON reviews (sequence, number);
CREATE INDEX reviews_that_stand ON reviews (reviewer, number) WHERE undone_by IS NULL;
CREATE INDEX items_to_search ON items (
    sequence, decided_at, label, confidence, bin, reason, review, reviewed, no_class);
CREATE INDEX items_by_time ON items (decided_at);
CREATE INDEX items_to_review ON items (sequence, review)
    WHERE review <> '' AND reviewed = '' AND no_class = '';
CREATE INDEX items_reviewed ON items (bundle, review, label, reviewed, no_class, confidence)
    WHERE reviewed <> '' OR no_class <> '';
{_CODES}
"""
SCHEMA = f"""
CREATE TABLE items (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id TEXT NOT NULL UNIQUE, decided_at REAL, label TEXT NOT NULL, confidence REAL,
    bin TEXT NOT NULL, reason TEXT NOT NULL, position_mm REAL, offset_mm REAL,
    views INTEGER NOT NULL, detect_ms REAL, classify_ms REAL, verdict_ms REAL,
    late INTEGER NOT NULL, bundle TEXT NOT NULL, length_mm REAL, top_label TEXT NOT NULL,
    review TEXT NOT NULL, reviewed TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '', longer_mm REAL, \
no_class TEXT NOT NULL DEFAULT '', sensors TEXT NOT NULL DEFAULT '', area_mm2 REAL, \
likeness REAL);
CREATE TABLE crops (
    sequence INTEGER PRIMARY KEY REFERENCES items ON DELETE CASCADE,
    keep_for_review INTEGER NOT NULL, jpeg BLOB NOT NULL);
CREATE INDEX crops_by_worth ON crops (keep_for_review, sequence);
{_REVIEWS}
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""
_MEASURES = """
ALTER TABLE items ADD COLUMN sensors TEXT NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN area_mm2 REAL;
ALTER TABLE items ADD COLUMN likeness REAL;
"""
_NO_MEASURES = "'' AS sensors, NULL AS area_mm2, NULL AS likeness"
_EARLIER_REVIEWS = """
INSERT INTO reviews (sequence, label, no_class, reviewer)
    SELECT sequence, reviewed, '', '' FROM items WHERE reviewed <> '';
"""
_FROM_1 = f"""
ALTER TABLE items RENAME TO items_1;
DROP INDEX items_by_time;
DROP TRIGGER tally;
DROP TABLE tallies;
{SCHEMA}
INSERT INTO items
    SELECT rowid, item_id, decided_at, label, confidence, bin, reason_of(reason, bin), position_mm,
        offset_mm, views, detect_ms, classify_ms, verdict_ms, late, bundle, NULL, '', '', '',
        reason, NULL, '', '', NULL, NULL
    FROM items_1 ORDER BY rowid;
INSERT INTO crops SELECT rowid, 0, crop FROM items_1 WHERE length(crop) > 0;
DROP TABLE items_1;
"""
_FROM_4 = f"""
ALTER TABLE items ADD COLUMN no_class TEXT NOT NULL DEFAULT '';
{_MEASURES}
{_REVIEWS}
{_EARLIER_REVIEWS}
PRAGMA user_version = {SCHEMA_VERSION};
"""
# The crops, by far the most, stay where they are.
_FROM_2 = f"""
DROP TRIGGER tally;
DROP TABLE tallies;
ALTER TABLE items RENAME COLUMN likeliest TO top_label;
ALTER TABLE items ADD COLUMN detail TEXT NOT NULL DEFAULT '';
UPDATE items SET detail = reason, reason = reason_of(reason, bin);
ALTER TABLE crops RENAME COLUMN wanted TO keep_for_review;
ALTER TABLE items ADD COLUMN longer_mm REAL;
{_FROM_4}
"""
_FROM_3 = f"""
ALTER TABLE items ADD COLUMN longer_mm REAL;
{_FROM_4}
"""
_FROM_5 = f"""
ALTER TABLE reviews ADD COLUMN grouped INTEGER;
ALTER TABLE reviews ADD COLUMN for_training INTEGER NOT NULL DEFAULT 1;
{_CODES}
{_MEASURES}
PRAGMA user_version = {SCHEMA_VERSION};
"""
_FROM_6 = f"""
{_MEASURES}
PRAGMA user_version = {SCHEMA_VERSION};
"""
MIGRATIONS = {1: _FROM_1, 2: _FROM_2, 3: _FROM_3, 4: _FROM_4, 5: _FROM_5, 6: _FROM_6}
"""Version -> the statements that bring a file from it to this one, for one transaction."""
_NO_CODES = """
CREATE TEMP VIEW codes AS SELECT 0 AS sequence, x'' AS code WHERE 0;
"""
_NO_REVIEWS = f"""
CREATE TEMP VIEW reviews AS
    SELECT 0 AS number, 0 AS sequence, '' AS label, '' AS no_class, '' AS reviewer,
        NULL AS reviewed_at, NULL AS undone_by, NULL AS undone_at, NULL AS grouped,
        1 AS for_training
    WHERE 0;
{_NO_CODES}
"""
_VIEWS_OF_2 = f"""
CREATE TEMP VIEW items AS
    SELECT sequence, item_id, decided_at, label, confidence, bin, reason_of(reason, bin) AS reason,
        position_mm, offset_mm, views, detect_ms, classify_ms, verdict_ms, late, bundle, length_mm,
        likeliest AS top_label, review, reviewed, reason AS detail, NULL AS longer_mm,
        '' AS no_class, {_NO_MEASURES}
    FROM main.items;
CREATE TEMP VIEW crops AS
    SELECT sequence, wanted AS keep_for_review, jpeg FROM main.crops;
{_NO_REVIEWS}
"""
_VIEWS_OF_3 = f"""
CREATE TEMP VIEW items AS
    SELECT *, NULL AS longer_mm, '' AS no_class, {_NO_MEASURES} FROM main.items;
{_NO_REVIEWS}
"""
_VIEWS_OF_4 = f"""
CREATE TEMP VIEW items AS SELECT *, '' AS no_class, {_NO_MEASURES} FROM main.items;
{_NO_REVIEWS}
"""
_VIEWS_OF_6 = f"""
CREATE TEMP VIEW items AS SELECT *, {_NO_MEASURES} FROM main.items;
"""
_VIEWS_OF_5 = f"""
CREATE TEMP VIEW reviews AS SELECT *, NULL AS grouped, 1 AS for_training FROM main.reviews;
{_NO_CODES}
{_VIEWS_OF_6}
"""
VIEWS = {2: _VIEWS_OF_2, 3: _VIEWS_OF_3, 4: _VIEWS_OF_4, 5: _VIEWS_OF_5, 6: _VIEWS_OF_6}
"""Version -> the statements that show a file of it as one of this; nothing is written to it."""
LISTED = "SELECT name, sql FROM main.sqlite_master WHERE sql IS NOT NULL"
OUR_TABLES = ({"items", "crops"}, {"items", "tallies"})
"""A file that has all of one of these is ours; the second are those of version 1."""


@lru_cache(maxsize=1)
def our_schema() -> frozenset[tuple[str, str]]:
    """Return names and statements of what a file of this version holds."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(SCHEMA)
        return frozenset(database.execute(LISTED).fetchall())


def statements(script: str) -> list[str]:
    """Split a script, to run it within a transaction, which executescript would commit first."""
    found, statement = [], ""
    for line in script.strip().splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ""
    return found
