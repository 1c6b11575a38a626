# BearSSL: the library alone.
make -j"$JOBS" lib CC="$CC" AR="$AR" CFLAGS="$CFLAGS"
cp inc/*.h "$OUT/include/"
cp build/libbearssl.a "$OUT/lib/"
