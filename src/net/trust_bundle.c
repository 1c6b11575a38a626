/* trust_bundle - see trust_bundle.h.  The assembler reads the file, since C has no words for it
 * before C23's #embed. */
#include "net/trust_bundle.h"

/* '%' begins a type in every assembler; '@' would be a comment on some. */
__asm__(".pushsection .rodata\n"
        ".global trust_bundle, trust_bundle_end\n"
        ".type trust_bundle, %object\n"
        ".type trust_bundle_end, %object\n"
        ".balign 16\n"
        "trust_bundle:\n"
        ".incbin \"" TRUST_BUNDLE "\"\n"
        "trust_bundle_end:\n"
        ".byte 0\n"
        ".size trust_bundle, trust_bundle_end - trust_bundle\n"
        ".size trust_bundle_end, 1\n"
        ".popsection\n");
