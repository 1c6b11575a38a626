/* sql_words - the words of one SQL statement, one after the other, as PostgreSQL's lexer cuts them.
 *
 * psqlscan finds where a statement ends, and gives nothing of what is inside.  This one is for
 * looking into a statement that is already whole: words, quoted names, strings (also E'' and
 * $tag$…$tag$) and single signs; blanks and comments are passed over.  pg_dump, and the deparser of
 * a server, write keywords in upper case and without quotes, and a name of upper case letters in
 * quotes; so a plain word of upper case letters is a keyword, whoever the names come from.
 *
 * Nothing is copied: words point into the statement.  A quote without its end goes to the end.
 * (PostgreSQL documentation, "Lexical Structure"; src/fe_utils/psqlscan.l.)
 * Threads: any. */
#ifndef PG_SQL_WORDS_H
#define PG_SQL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum sql_word_kind {
    SQL_WORD_END,
    SQL_WORD_PLAIN,  /* a keyword, a name without quotes, a number */
    SQL_WORD_QUOTED, /* "a name", its quotes included */
    SQL_WORD_STRING, /* with its quotes, and E before them */
    SQL_WORD_SIGN,   /* one character of anything else */
};

struct sql_word {
    enum sql_word_kind kind;
    const char *text;
    size_t size;
    unsigned depth; /* of parentheses around it; of one itself: around the pair */
};

/* Where the next word is looked for.  It may be copied, to look ahead. */
struct sql_words {
    const char *at, *end;
    unsigned depth;
    bool standard_strings; /* a backslash in '…' is a character like any other */
};

struct sql_words sql_words_of(const char *sql, bool standard_strings);

/* Take the next word; SQL_WORD_END at the end, again and again. */
struct sql_word sql_word_next(struct sql_words *words);

/* Whether it is this plain word, or this sign. */
bool sql_word_is(const struct sql_word *word, const char *text);

/* Take the words of a phrase, "NOT NULL (", when they come next; else take nothing. */
bool sql_words_take(struct sql_words *words, const char *phrase);

/* Take a name, "a" or "a.b" or "a.b.c", when one comes next; else take nothing.  Keywords are not
 * told from names. */
bool sql_words_take_name(struct sql_words *words, struct sql_word *name);

#endif
