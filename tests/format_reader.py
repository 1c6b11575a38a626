#!/usr/bin/env python3
"""A second reader of dumps, written from docs/format.md alone: the standard library and `zstd -d`.

    format_reader.py STORE [DUMP] [--check]            check everything, print the rows of each table
    format_reader.py STORE [DUMP] --rows schema.table  print that table's rows as COPY text
    format_reader.py STORE [DUMP] --order              print the names of the volumes in the order of loading

STORE is a directory, DUMP the name of one dump; without it, the newest complete one.  Exit status 0 when
all is well, 1 with a sentence when the dump must be refused.

As a module:

    dump = format_reader.open_dump("/backups")
    dump.check()
    for row in dump.rows(dump.table(b"public", b"film")): ...
"""

import argparse
import collections
import hashlib
import json
import os
import re
import subprocess
import sys

FORMAT = 1
MANIFEST_BYTES_MAX = 256 * 1024 * 1024
VOLUME_NUMBER_MAX = 4294967295
CHUNK = 1 << 20

# The encodings that a database can have (section 7).
ENCODINGS = set(
    b"SQL_ASCII UTF8 MULE_INTERNAL EUC_CN EUC_JP EUC_JIS_2004 EUC_KR EUC_TW KOI8R KOI8U ISO_8859_5 ISO_8859_6"
    b" ISO_8859_7 ISO_8859_8 WIN866 WIN874".split()
    + [b"LATIN%d" % n for n in range(1, 11)]
    + [b"WIN%d" % n for n in range(1250, 1259)]
)

# What is no row, wherever it stands in one (section 5).
NO_ROW = re.compile(rb"[\0\r]|\\[^bfnrtvN\\]", re.DOTALL)
ESCAPE = re.compile(rb"\\[bfnrtvN\\]")

Object = collections.namedtuple("Object", "name stored_bytes plain_bytes rows sha256 number")
Column = collections.namedtuple("Column", "name type rule")
Table = collections.namedtuple("Table", "schema name into late data rows columns volumes")


class Refused(Exception):
    """The dump is not what docs/format.md says; the text says where."""


def show(name):
    return name.decode("utf-8", "backslashreplace")


# ---- members of the manifest (section 7) --------------------------------------------------------------


def members_of(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Refused("the manifest has an object with the same name twice")
    return members


def member(where, json_object, name, kind):
    value = json_object.get(name) if isinstance(json_object, dict) else None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Refused("%s: no %s %r" % (where, kind.__name__, name))
    if kind is int and not 0 <= value < 2**64:
        raise Refused("%s: %r is no number below 2^64" % (where, name))
    return value


def text(where, json_object, name):
    """The bytes of a text; a lone \\udc80 .. \\udcff is a byte that is no UTF-8."""
    value = member(where, json_object, name, str)
    try:
        data = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Refused("%s: a lone surrogate in %r" % (where, name)) from None
    if b"\0" in data:
        raise Refused("%s: a zero byte in %r" % (where, name))
    return data


def read_object(where, json_object, expected, is_volume):
    name = text(where, json_object, "name").decode("utf-8", "replace")
    number = None
    if is_volume:
        match = re.fullmatch(r"([1-9][0-9]*)" + re.escape(expected), name, re.ASCII)
        if match is None or int(match[1]) > VOLUME_NUMBER_MAX:
            raise Refused("%s: %r is no name of a volume" % (where, name))
        number = int(match[1])
    elif name != expected:
        raise Refused("%s: the object is called %r, not %r" % (where, name, expected))
    digest = member(where, json_object, "sha256", str)
    if not re.fullmatch(r"[0-9a-f]{64}", digest, re.ASCII):
        raise Refused("%s: no SHA-256" % where)
    return Object(name, member(where, json_object, "stored_bytes", int),
                  member(where, json_object, "plain_bytes", int),
                  member(where, json_object, "rows", int) if is_volume else 0, digest, number)


def read_table(where, json_object, suffix):
    schema, name = text(where, json_object, "schema"), text(where, json_object, "name")
    if not schema or not name:
        raise Refused("%s: a table without a name" % where)
    where = "%s: %s.%s" % (where, show(schema), show(name))
    columns = [Column(text(where, column, "name"), text(where, column, "type"),
                      text(where, column, "rule") if "rule" in column else None)
               for column in member(where, json_object, "columns", list)]
    volumes = [read_object(where, volume, ".sql" + suffix, True)
               for volume in member(where, json_object, "volumes", list)]
    data, rows = member(where, json_object, "data", bool), member(where, json_object, "rows", int)
    if sum(volume.rows for volume in volumes) != rows:
        raise Refused("%s: rows is not the sum of its volumes" % where)
    if volumes and not data:
        raise Refused("%s: volumes, though its data was skipped" % where)
    into = None
    if "into" in json_object:
        root = member(where, json_object, "into", dict)
        into = text(where, root, "schema"), text(where, root, "name")
    for place in (schema, into[0] if into else schema):
        if place.startswith(b"pg_") or place == b"information_schema":
            raise Refused("%s: %s is a schema of PostgreSQL's own" % (where, show(place)))
    late = member(where, json_object, "late", int) if "late" in json_object else None
    if late == 0:
        raise Refused("%s: late is 0" % where)
    return Table(schema, name, into, late, data, rows, columns, volumes)


def suffix_of(compression):
    if compression == "none":
        return ""
    if re.fullmatch(r"zstd:-?[0-9]+", compression, re.ASCII):
        return ".zst"
    raise Refused("compression %r is not known" % compression)


# ---- a dump ------------------------------------------------------------------------------------------


class Dump:
    def __init__(self, store, name):
        self.path, self.name = os.path.join(store, name), name
        where = name + "/manifest.json"
        try:
            with open(os.path.join(self.path, "manifest.json"), "rb") as file:
                data = file.read(MANIFEST_BYTES_MAX + 1)
            if len(data) > MANIFEST_BYTES_MAX:
                raise Refused("%s is larger than it may be" % where)
            self.manifest = json.loads(data.decode("utf-8"), object_pairs_hook=members_of)
        except FileNotFoundError:
            raise Refused("%s has no manifest" % name) from None
        except (ValueError, RecursionError) as error:
            raise Refused("%s is no JSON: %s" % (where, error)) from None
        self._read(where)

    def _read(self, where):
        manifest = self.manifest
        version = member(where, manifest, "format", int)
        if not 1 <= version <= FORMAT:
            raise Refused("%s has format %d, this reader knows %d" % (self.name, version, FORMAT))
        if text(where, manifest, "name") != self.name.encode():
            raise Refused("%s belongs to another dump" % where)
        if "dump-%d" % member(where, manifest, "created_at", int) != self.name:
            raise Refused("%s: created_at is not in the name" % where)
        member(where, manifest, "finished_at", int)
        for name in ("replica_version", "server_version", "database", "lsn", "snapshot"):
            text(where, manifest, name)
        self.encoding = text(where, manifest, "encoding")
        if self.encoding not in ENCODINGS:
            raise Refused("%s: no encoding" % where)
        self.lc_monetary = text(where, manifest, "lc_monetary") if "lc_monetary" in manifest else None
        if self.lc_monetary is not None and not re.fullmatch(rb"[A-Za-z0-9_.@-]+", self.lc_monetary):
            raise Refused("%s: no locale" % where)
        self.suffix = suffix_of(text(where, manifest, "compression").decode("utf-8", "replace"))
        self.scripts = [read_object("%s: %s" % (where, name), manifest.get(name), file + self.suffix, False)
                        for name, file in (("pre_data", "pre-data.sql"), ("data", "data.sql"),
                                           ("post_data", "post-data.sql"))]
        self.scripts[2:2] = [read_object("%s: more_data" % where, piece, "data-%d.sql%s" % (number, self.suffix), False)
                             for number, piece in enumerate(manifest.get("more_data", []), 2)]
        self.tables = [read_table(where, table, self.suffix)
                       for table in member(where, manifest, "tables", list)]
        self._compare(where)

    def _compare(self, where):
        """Sums and names that must fit together."""
        for name in ("rows", "plain_bytes", "stored_bytes"):
            if member(where, self.manifest, name, int) != sum(getattr(o, name) for o in self.objects()):
                raise Refused("%s: %s is not the sum of its parts" % (where, name))
        if len({object_.name for object_ in self.objects()}) != len(self.objects()):
            raise Refused("%s: an object is named twice" % where)
        if len({(table.schema, table.name) for table in self.tables}) != len(self.tables):
            raise Refused("%s: a table is named twice" % where)
        places = [table.late for table in self.tables if table.late is not None]
        if len(set(places)) != len(places):
            raise Refused("%s: two tables have the same late" % where)

    def objects(self):
        return self.scripts + [volume for table in self.tables for volume in table.volumes]

    def loading_order(self):
        """Tables as they have to be loaded (section 7.1); those without a place may change theirs among each other."""
        return sorted(self.tables, key=lambda table: table.late or 0)

    def table(self, schema, name):
        for table in self.tables:
            if (table.schema, table.name) == (schema, name):
                return table
        raise KeyError((schema, name))

    # ---- objects --------------------------------------------------------------------------------------

    def check_stored(self, object_):
        where, digest, size = "%s/%s" % (self.name, object_.name), hashlib.sha256(), 0
        try:
            with open(os.path.join(self.path, object_.name), "rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
        except FileNotFoundError:
            raise Refused("%s is missing" % where) from None
        if size != object_.stored_bytes:
            raise Refused("%s has %d bytes, not %d" % (where, size, object_.stored_bytes))
        if digest.hexdigest() != object_.sha256:
            raise Refused("%s has another SHA-256" % where)

    def plain(self, object_):
        """The plain bytes, chunk by chunk, after the stored ones were checked."""
        self.check_stored(object_)
        where, size = "%s/%s" % (self.name, object_.name), 0
        with open(os.path.join(self.path, object_.name), "rb") as file:
            command = ["zstd", "-q", "-dc"] if self.suffix else ["cat"]
            process = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            while chunk := process.stdout.read(CHUNK):
                size += len(chunk)
                yield chunk
            error = process.stderr.read()
            if process.wait() != 0:
                raise Refused("%s does not decompress: %s" % (where, show(error).strip()))
        finally:
            process.stdout.close()
            process.stderr.close()
            process.wait()
        if size != object_.plain_bytes:
            raise Refused("%s has %d plain bytes, not %d" % (where, size, object_.plain_bytes))

    # ---- volumes (section 5) --------------------------------------------------------------------------

    def preamble(self, table, number):
        def quoted(name):
            return b'"' + name.replace(b'"', b'""') + b'"'

        title = quoted(table.schema) + b"." + quoted(table.name)
        target = b".".join(quoted(name) for name in table.into or (table.schema, table.name))
        title = title.replace(b"\r", b" ").replace(b"\n", b" ")
        columns = b", ".join(quoted(column.name) for column in table.columns)
        return (b"-- replica " + self.name.encode() + b" volume %d: " % number + title + b"\n"
                b"SET client_encoding = '" + self.encoding + b"';\n"
                b"SET xmloption = content;\n"
                b"SET statement_timeout = 0;\n"
                b"SELECT pg_catalog.set_config('search_path', '', false);\n"
                b"COPY " + target + (b" (" + columns + b")" if columns else b"") + b" FROM stdin;\n")

    def row_pieces(self, table, volume):
        """The bytes of the rows, in pieces of any size; the frame is compared and left out."""
        where = "%s/%s" % (self.name, volume.name)
        preamble, end = self.preamble(table, volume.number), b"\\.\n"
        begun, kept, rows = False, b"", 0
        last, escape = b"\n", b""
        for chunk in self.plain(volume):
            kept += chunk
            if not begun:
                if len(kept) < len(preamble):
                    continue
                if not kept.startswith(preamble):
                    raise Refused("%s has the preamble of another volume" % where)
                kept, begun = kept[len(preamble):], True
            if len(kept) > len(end):
                piece, kept = kept[:-len(end)], kept[-len(end):]
                rows, last = rows + piece.count(b"\n"), piece[-1:]
                rest = ESCAPE.sub(b"", escape + piece)
                escape = b"\\" if rest.endswith(b"\\") else b""
                if NO_ROW.search(rest):
                    raise Refused("%s holds what is no row" % where)
                yield piece
        if not begun or kept != end or last != b"\n":
            raise Refused("%s has no preamble or no end" % where)
        if rows != volume.rows:
            raise Refused("%s has %d rows, not %d" % (where, rows, volume.rows))

    def rows(self, table):
        """Each row of a table as raw COPY text, without its LF.  For rows of many megabytes, take row_pieces()."""
        for volume in table.volumes:
            rest = b""
            for piece in self.row_pieces(table, volume):
                *rows, rest = (rest + piece).split(b"\n")
                yield from rows

    def check_script(self, script):
        """Settings first (section 4).  The statements behind them only a lexer could tell apart."""
        begin = b""
        for chunk in self.plain(script):
            begin += chunk[: 4096 - len(begin)]
        first = []
        for line in begin.split(b"\n"):
            if not line.startswith(b"SET "):
                break
            first.append(line)
        wanted = [b"SET client_encoding = '" + self.encoding + b"';", b"SET standard_conforming_strings = "]
        further = script in self.scripts[2:-1]
        if begin and not further and not all(any(line.startswith(each) for line in first) for each in wanted):
            raise Refused("%s/%s does not set its session up" % (self.name, script.name))

    def check(self):
        """Check every object to the last byte."""
        for script in self.scripts:
            self.check_script(script)
        for table in self.tables:
            for volume in table.volumes:
                for _ in self.row_pieces(table, volume):
                    pass


def dumps(store):
    """The names of the complete dumps, oldest first."""
    found = [name for name in os.listdir(store) if re.fullmatch(r"dump-(0|[1-9][0-9]*)", name, re.ASCII)
             and int(name[5:]) < 2**64 and os.path.exists(os.path.join(store, name, "manifest.json"))]
    return sorted(found, key=lambda name: int(name[5:]))


def open_dump(store, name=None):
    if name is None:
        names = dumps(store)
        if not names:
            raise Refused("there is no dump in %s" % store)
        name = names[-1]
    return Dump(store, name)


def print_rows(dump, wanted):
    found = [table for table in dump.tables if table.schema + b"." + table.name == wanted]
    if len(found) != 1:
        raise Refused("%s names %d tables of %s" % (show(wanted), len(found), dump.name))
    for volume in found[0].volumes:
        for piece in dump.row_pieces(found[0], volume):
            sys.stdout.buffer.write(piece)


def print_order(dump):
    for table in dump.loading_order():
        for volume in table.volumes:
            print(volume.name)


def print_check(dump):
    dump.check()
    for table in sorted(dump.tables):
        print("%12d  %s.%s%s" % (table.rows, show(table.schema), show(table.name),
                                 "" if table.data else "  (data skipped)"))
    print("%s is sound: %d tables, %d rows, %d objects, %d bytes" %
          (dump.name, len(dump.tables), sum(table.rows for table in dump.tables), len(dump.objects()),
           sum(object_.stored_bytes for object_ in dump.objects())))


def main():
    parser = argparse.ArgumentParser(description="Check a dump, or print rows of it.")
    parser.add_argument("store")
    parser.add_argument("dump", nargs="?")
    parser.add_argument("--check", action="store_true", help="check everything; also the default")
    parser.add_argument("--rows", metavar="SCHEMA.TABLE", help="print the rows of a table as COPY text")
    parser.add_argument("--order", action="store_true", help="print the volumes in the order of loading")
    options = parser.parse_args()
    try:
        dump = open_dump(options.store, options.dump)
        if options.order:
            print_order(dump)
        if options.check or (options.rows is None and not options.order):
            print_check(dump)
        if options.rows is not None:
            print_rows(dump, os.fsencode(options.rows))
    except Refused as refused:
        print("refused: %s" % refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
