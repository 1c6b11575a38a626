/* mask_text - the transformers of texts.  What they make is ASCII, but for characters kept from a
 * value that is valid UTF-8 in a database of that encoding, or of none; a kept byte of any other
 * becomes '*', since it may be half a character.  There a byte counts as a character: no encoding
 * of a server has more characters than bytes, and none has ASCII within a character. */
#include <assert.h>
#include <string.h>

#include "transform/mask.h"

enum {
    KEPT_CHARACTERS = 3, /* of a redacted value */
    LOCAL_WANTED = 12,   /* 36^12 is above 2^62: no two of a billion addresses meet */
    LOCAL_LEAST = 6,     /* below it, a shorter domain is better */
    DRAW_DIGITS = 6,     /* characters out of one random number: 62^6 leaves a bias below 2^-28 */
};

static const char domain_usual[] = "example.com";

static const char letters_and_digits[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
enum { LOWER_COUNT = 36, ALL_COUNT = sizeof letters_and_digits - 1 };

/* Names that fit short columns too; the shortest first. */
static const char *const first_names[] = {
    "Al", "Bo", "Cy", "Di", "Ed", "Jo", "Ty", "Vi",
    "Abe", "Ada", "Amy", "Ann", "Ben", "Bob", "Dan", "Eva", "Eve", "Gil", "Guy", "Ian", "Ida",
    "Ivy", "Jan", "Jay", "Jim", "Joe", "Kay", "Ken", "Kim", "Lee", "Leo", "Lou", "Mae", "Max",
    "Meg", "Mia", "Ned", "Pam", "Pat", "Ray", "Rex", "Ron", "Roy", "Sal", "Sam", "Sue", "Ted",
    "Tim", "Tom", "Una",
    "Adam", "Alan", "Alex", "Anna", "Beth", "Bill", "Cara", "Carl", "Cora", "Dale", "Dave", "Dean",
    "Dora", "Doug", "Earl", "Ella", "Emma", "Eric", "Erin", "Evan", "Fern", "Finn", "Fred", "Gail",
    "Gary", "Gene", "Glen", "Gwen", "Hugh", "Iris", "Jack", "Jade", "Jane", "Jean", "Jill", "John",
    "Josh", "Judy", "June", "Karl", "Kate", "Kurt", "Kyle", "Lena", "Lisa", "Luke", "Lynn", "Mark",
    "Mary", "Matt", "Mike", "Nina", "Noah", "Nora", "Olga", "Owen", "Paul", "Pete", "Rita", "Rosa",
    "Rose", "Ross", "Ruby", "Ruth", "Ryan", "Sara", "Sean", "Seth", "Tara", "Tess", "Theo", "Tina",
    "Todd", "Tony", "Vera", "Wade", "Will", "Zara",
    "Aaron", "Abigail", "Albert", "Alice", "Amanda", "Andrea", "Andrew", "Angela", "Anthony",
    "Arthur", "Barbara", "Benjamin", "Brandon", "Brenda", "Brian", "Bruce", "Caroline", "Catherine",
    "Charles", "Charlotte", "Christine", "Christopher", "Daniel", "David", "Deborah", "Dennis",
    "Diana", "Donald", "Dorothy", "Douglas", "Edward", "Eleanor", "Elizabeth", "Emily", "Eugene",
    "Florence", "Frances", "Frank", "Gabriel", "George", "Gerald", "Gloria", "Grace", "Gregory",
    "Hannah", "Harold", "Heather", "Helen", "Henry", "Isabel", "Jacob", "James", "Janet", "Jasmine",
    "Jeffrey", "Jennifer", "Jessica", "Jonathan", "Joseph", "Joshua", "Julia", "Justin", "Karen",
    "Katherine", "Keith", "Kenneth", "Kevin", "Laura", "Lawrence", "Linda", "Louise", "Madison",
    "Margaret", "Maria", "Martha", "Martin", "Matthew", "Megan", "Melissa", "Michael", "Michelle",
    "Nancy", "Natalie", "Nathan", "Nicholas", "Nicole", "Olivia", "Pamela", "Patricia", "Patrick",
    "Peter", "Philip", "Rachel", "Rebecca", "Richard", "Robert", "Roger", "Ronald", "Russell",
    "Samantha", "Samuel", "Sandra", "Sarah", "Scott", "Sharon", "Sophia", "Stephen", "Susan",
    "Teresa", "Theresa", "Thomas", "Timothy", "Tyler", "Vanessa", "Victoria", "Vincent", "Virginia",
    "Walter", "Wayne", "Wendy", "William", "Zachary",
};
enum { NAMES_COUNT = sizeof first_names / sizeof *first_names };

size_t
first_names_fitting(size_t room)
{
    size_t count = 0;

    while (count < NAMES_COUNT && strlen(first_names[count]) <= room)
        count++;
    return count;
}

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void
add_characters(struct result *result, struct random *random, unsigned kinds, size_t count)
{
    assert(count <= TRANSFORM_FIELD_BYTES - result->size);
    uint8_t *to = result->data + result->size;

    result->size += count;
    for (; count > 0;) {
        uint64_t draw = random_next(random);
        size_t digits = smaller(count, DRAW_DIGITS);
        for (size_t i = 0; i < digits; i++)
            *to++ = (uint8_t) letters_and_digits[random_digit(&draw, kinds)];
        count -= digits;
    }
}

/* Keep the first characters of the value, '*' for what may not be kept. */
static void
add_kept(struct result *result, const struct value *value, size_t characters)
{
    size_t size = smaller(characters, value->size);

    if (value->utf8) {
        result_add(result, value->data, utf8_prefix(value->data, value->size, characters));
        return;
    }
    for (size_t i = 0; i < size; i++)
        result_put(result, value->data[i] < 0x80 ? (char) value->data[i] : '*');
}

void
mask_random_text(const struct mask *mask, const struct value *value, struct random *random,
                 struct result *result)
{
    add_characters(result, random, ALL_COUNT, smaller(value->characters, mask->room));
}

/* A column of one character gets an initial. */
void
mask_first_name(const struct mask *mask, const struct value *value, struct random *random,
                struct result *result)
{
    (void) value;
    size_t count = mask->choices > 0 ? mask->choices : NAMES_COUNT;
    const char *name = first_names[random_below(random, count)];

    result_add(result, name, smaller(strlen(name), mask->room));
}

/* The domain of an address, when that is what stands behind the last @: nothing else may be
 * kept. */
static bool
domain_find(const struct value *value, const uint8_t **domain, size_t *size)
{
    const uint8_t *at = value->size > 0 ? memrchr(value->data, '@', value->size) : NULL;

    if (at == NULL || value->cut || !value->utf8)
        return false;
    *domain = at + 1;
    *size = (size_t) (value->data + value->size - *domain);
    for (size_t i = 0; i < *size; i++) {
        uint8_t c = (*domain)[i];
        if (c < 0x80 && c != '.' && c != '-' && !(c >= '0' && c <= '9') &&
            !((c | 32) >= 'a' && (c | 32) <= 'z'))
            return false;
    }
    return *size > 0;
}

/* Two reserved domains nobody can own, so no mail ever arrives; the short one where room is
 * short. */
bool
mask_email_parts(const struct mask *mask, const struct value *value, const uint8_t **domain,
                 size_t *domain_size, size_t *local)
{
    const char *given = mask->settings->domain;
    size_t room = mask->room;
    bool kept = mask->settings->domain_keep && domain_find(value, domain, domain_size) &&
                *domain_size + 2 <= room;

    if (!kept && given != NULL) {
        *domain = (const uint8_t *) given;
        *domain_size = strlen(given);
    } else if (!kept && room < sizeof domain_usual + LOCAL_LEAST) {
        *domain = (const uint8_t *) "a.test";
        *domain_size = 6;
    } else if (!kept) {
        *domain = (const uint8_t *) domain_usual;
        *domain_size = sizeof domain_usual - 1;
    }
    *local = room < *domain_size + 2 ? 0 : smaller(LOCAL_WANTED, room - *domain_size - 1);
    return kept;
}

void
mask_email(const struct mask *mask, const struct value *value, struct random *random,
           struct result *result)
{
    const uint8_t *domain;
    size_t size, local;

    mask_email_parts(mask, value, &domain, &size, &local);
    if (local == 0) {
        add_characters(result, random, LOWER_COUNT, mask->room);
        return;
    }
    add_characters(result, random, LOWER_COUNT, local);
    result_put(result, '@');
    result_add(result, domain, size);
}

void
mask_keep_first_text(const struct mask *mask, const struct value *value, struct random *random,
                     struct result *result)
{
    (void) mask;
    if (value->characters > 1)
        add_kept(result, value, 1);
    else
        add_characters(result, random, ALL_COUNT, 1);
}

void
mask_phone_number(const struct mask *mask, const struct value *value, struct random *random,
                  struct result *result)
{
    (void) value;
    static const struct {
        size_t room, size;
        const char *form; /* A: 2-9, N: 0-9 */
    } forms[] = {{14, 14, "(ANN) 555-NNNN"}, {12, 12, "ANN-555-NNNN"}, {10, 10, "ANN555NNNN"},
                 {1, 9, "ANNNNNNNN"}};
    size_t choice = 0;
    uint64_t draw = random_next(random);

    while (forms[choice].room > mask->room)
        choice++;
    const char *form = forms[choice].form;
    size_t size = smaller(forms[choice].size, mask->room);
    for (size_t i = 0; i < size; i++) {
        char c = form[i];
        if (c == 'A')
            c = (char) ('2' + random_digit(&draw, 8));
        else if (c == 'N')
            c = (char) ('0' + random_digit(&draw, 10));
        result_put(result, c);
    }
}

/* The limit is one of characters, and what we take for characters may be bytes to the server
 * (SQL_ASCII that looks like UTF-8), so the bytes may not exceed it either - unless the value's own
 * bytes did. */
void
mask_redacted(const struct mask *mask, const struct value *value, struct random *random,
              struct result *result)
{
    (void) random;
    char character = mask->settings->character;

    if (value->characters <= KEPT_CHARACTERS) {
        result_fill(result, character, smaller(value->characters, mask->room));
        return;
    }
    add_kept(result, value, smaller(KEPT_CHARACTERS, mask->room));
    size_t characters = smaller(KEPT_CHARACTERS, mask->room);
    size_t bytes_room = value->size > mask->room ? value->size : mask->room;
    bytes_room = smaller(bytes_room, TRANSFORM_FIELD_BYTES);
    size_t width = smaller(mask->settings->width, mask->room - characters);
    result_fill(result, character, smaller(width, bytes_room - smaller(bytes_room, result->size)));
}
