/* s3_sentence - see s3_sentence.h. */
#include "s3/s3_sentence.h"

#include <string.h>

#include "base/clock.h"

void
s3_sentence_reason(struct text *text, const struct s3_call *call, const struct fault *why)
{
    if (why->err != ERR_NONE)
        text_add(text, why->text);
    else
        s3_answer_text(&call->answer, text);
}

/* Add what probably helps. */
static void
hint_add(struct text *text, const struct s3 *s3, const struct s3_call *call)
{
    const struct s3_answer *answer = &call->answer;
    const char *code = answer->code, *source = credentials_source(s3->credentials);

    if (answer->kind == ANSWER_ELSEWHERE)
        text_add(text, "; set AWS_REGION to the region that the bucket is in");
    else if (answer->kind == ANSWER_SKEWED)
        text_add(text, "; this machine's clock is not the store's");
    else if (answer->kind == ANSWER_KEYS && code[0] != '\0')
        text_addf(text, "; the keys come from %s", source);
    else if (strcmp(code, "NoSuchBucket") == 0)
        text_add(text, "; the bucket must exist, replica does not make one");
    else if (strcmp(code, "InvalidObjectState") == 0)
        text_add(text, "; the object is archived and has to be restored to the bucket first");
    else if (answer->status == 403)
        text_addf(text, "; the keys from %s may lack %s", source, call->permission);
}

bool
s3_sentence_set(struct s3 *s3, const struct s3_call *call, const struct retry *retry,
                const struct fault *why, struct fault *fault)
{
    struct text text = {0};
    char duration[32];

    s3_sentence_reason(&text, call, why);
    if (why->err == ERR_NONE)
        hint_add(&text, s3, call);
    if (retry->attempts > 1)
        text_addf(&text, ", after %u attempts in %s", retry->attempts,
                  clock_duration(duration, clock_ms() - retry->begun_ms));
    if (call->tidy && stop_requested(s3->stop))
        text_add(&text, ", while the run was being stopped");
    fault_set(fault, why->err != ERR_NONE ? why->err : ERR_STORE, "unable to %s %s: %s",
              call->what, s3_endpoint_text(s3), text_of(&text));
    text_free(&text);
    return false;
}
