"""A store that somebody else has written: objects and manifest changed, and all digests and sums mended, so that
nothing but the content lies."""

import hashlib
import json
import os


class Forger:
    """Of the newest dump of a store without compression.  Change what you like, then mend()."""

    def __init__(self, store):
        self.folder = store.dump_path()
        self.manifest = store.manifest()
        assert self.manifest["compression"] == "none"

    def path(self, name):
        return os.path.join(self.folder, name)

    def table(self, name):
        return next(table for table in self.manifest["tables"] if table["name"] == name)

    def change(self, name, change):
        """change turns the bytes of an object into others."""
        with open(self.path(name), "rb") as file:
            data = file.read()
        forged = change(data)
        assert forged != data, "nothing has changed"
        with open(self.path(name), "wb") as file:
            file.write(forged)

    def rows(self, table, change):
        """change turns the rows of a table's only volume, a list of lines, into others."""

        def forge(data):
            at = data.index(b" FROM stdin;\n") + len(b" FROM stdin;\n")
            assert data.endswith(b"\\.\n")
            return data[:at] + b"".join(change(data[at:-3].splitlines(keepends=True))) + b"\\.\n"

        self.change(self.table(table)["volumes"][0]["name"], forge)

    def append(self, section, text):
        self.change(self.manifest[section]["name"], lambda data: data + text)

    def prepend(self, section, text):
        """Before the first statement that is no setting."""

        def forge(data):
            lines = data.splitlines(keepends=True)
            at = next(i for i, line in enumerate(lines) if not line.startswith((b"SET ", b"SELECT pg_catalog.set_")))
            return b"".join(lines[:at]) + text + b"".join(lines[at:])

        self.change(self.manifest[section]["name"], forge)

    def piece(self, text):
        """A further piece of the data script."""
        pieces = self.manifest.setdefault("more_data", [])
        pieces.append({"name": "data-%d.sql" % (len(pieces) + 2)})
        with open(self.path(pieces[-1]["name"]), "wb") as file:
            file.write(text)

    def objects(self):
        manifest = self.manifest
        scripts = [manifest["pre_data"], manifest["data"], manifest["post_data"]] + manifest.get("more_data", [])
        return scripts + [volume for table in manifest["tables"] for volume in table["volumes"]]

    def mend(self):
        """Digests, sizes and sums; what was changed in the manifest before as "lie_…" wins over what is true."""
        for each in self.objects():
            with open(self.path(each["name"]), "rb") as file:
                data = file.read()
            each["sha256"] = hashlib.sha256(data).hexdigest()
            each["stored_bytes"] = len(data)
            each["plain_bytes"] = each.pop("lie_bytes", len(data))
        for table in self.manifest["tables"]:
            table["rows"] = sum(volume["rows"] for volume in table["volumes"])
        self.manifest["rows"] = sum(table["rows"] for table in self.manifest["tables"])
        for name in ("stored_bytes", "plain_bytes"):
            self.manifest[name] = sum(each[name] for each in self.objects())
        with open(self.path("manifest.json"), "w") as file:
            json.dump(self.manifest, file)
