/* trust_bundle - the PEM text of the authorities that the build found on its machine.
 *
 * TRUST_BUNDLE, a path, comes from the Makefile.   Threads: any. */
#ifndef NET_TRUST_BUNDLE_H
#define NET_TRUST_BUNDLE_H

/* Not a text: it has no zero at its end. */
extern const char trust_bundle[], trust_bundle_end[];

#endif
