# zstd: one thread, without the old formats, the dictionary builder and the deprecated calls.
make -C lib -j"$JOBS" libzstd.a CC="$CC" AR="$AR" CFLAGS="$CFLAGS -O3" \
    ZSTD_LEGACY_SUPPORT=0 ZSTD_LIB_DICTBUILDER=0 ZSTD_LIB_DEPRECATED=0
cp lib/zstd.h lib/zstd_errors.h "$OUT/include/"
cp lib/libzstd.a "$OUT/lib/"
