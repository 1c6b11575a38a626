# PostgreSQL: libpq, what stands under it, fe_utils (psql's lexer), and pg_dump as one object.
# The prefix is only where libpq looks for pg_service.conf; nothing is installed there.
./configure --prefix=/usr/local/pgsql ${TRIPLE:+--host="$TRIPLE"} \
    --without-readline --without-zlib --without-icu \
    CC="$CC" AR="$AR" CFLAGS="$CFLAGS" LDFLAGS="$LDFLAGS"

make -j"$JOBS" -C src/backend generated-headers
make -j"$JOBS" -C src/port libpgport.a
make -j"$JOBS" -C src/fe_utils libpgfeutils.a
# src/common as libpq wants it (the _shlib objects: public names of the encoding functions, json over PQExpBuffer),
# with the two files that only programs may use.
make -j"$JOBS" -C src/common -f - together <<'END'
include Makefile
together: $(OBJS_SHLIB) $(OBJS_EXCLUDED_SHLIB)
	$(AR) crs libpgcommon_together.a $^
END
# libpq alone is built for TLS, with no library for it: the backend it then looks for is src/pg/tls_backend.c.
make -j"$JOBS" -C src/interfaces/libpq all-static-lib SHLIB_PREREQS= COPT=-DUSE_SSL
cp src/common/libpgcommon_together.a "$OUT/lib/libpgcommon.a"
cp src/port/libpgport.a src/fe_utils/libpgfeutils.a src/interfaces/libpq/libpq.a "$OUT/lib/"

# Headers: the public ones, then all of the tree's, then those of libpq's own files.
headers=$OUT/include/postgresql
rm -rf "$headers"
mkdir -p "$headers/internal"
cp -RL src/include "$headers/server"
cp src/interfaces/libpq/*.h "$headers/internal/"
mkdir "$headers/internal/pg_dump"
cp src/bin/pg_dump/*.h "$headers/internal/pg_dump/"
cp src/interfaces/libpq/libpq-fe.h src/interfaces/libpq/libpq-events.h src/include/postgres_ext.h "$OUT/include/"

# pg_dump: all of its objects as one.  Where its main() would write the archive as text, it calls pg_dump_sections(), which is
# src/pg/pg_dump_sections.c and needs the three other names.
if [ "$target" = static ]; then
    make -j"$JOBS" -C src/bin/pg_dump -f - objects <<'END'
include Makefile
objects: pg_dump.o common.o pg_dump_sort.o $(OBJS)
	$(OBJCOPY) --redefine-sym main=pg_dump_main --redefine-sym RestoreArchive=pg_dump_sections pg_dump.o pg_dump_asking.o
	$(LD) -r -o pg_dump_all.o pg_dump_asking.o common.o pg_dump_sort.o $(OBJS)
END
    "$OBJCOPY" --keep-global-symbol=pg_dump_main --keep-global-symbol=RestoreArchive \
        --keep-global-symbol=ProcessArchiveRestoreOptions --keep-global-symbol=ahwrite \
        src/bin/pg_dump/pg_dump_all.o "$OUT/lib/pg_dump.o"
fi
