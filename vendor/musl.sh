# musl: the C library, its headers, and musl-gcc, a wrapper of the machine's gcc that knows only these.
# CFLAGS are its own: the stack protector can't guard the code that sets it up.
./configure --prefix="$OUT" --disable-shared --enable-wrapper=gcc ${TRIPLE:+--target="$TRIPLE"} \
    CC="$CC" AR="$AR" RANLIB="$RANLIB" CFLAGS="-O2 -fno-pie"
make -j"$JOBS"
make install
