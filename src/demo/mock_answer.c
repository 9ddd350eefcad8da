/* mock_answer.c - which API a request is for. */
#include "mock_answer.h"

void ob_mock_route(ob_mock_call *call, ob_slice path, bool anthropic)
{
    const ob_slice google_openai = OB_S("/v1beta/openai");
    call->path = path;
    if (ob_slice_starts(path, google_openai)) {
        call->dialect = OB_DIALECT_OPENAI;
        call->path = ob_slice_from(path, google_openai.len);
    } else if (ob_slice_starts(path, OB_S("/v1/messages")) ||
               (anthropic && ob_slice_starts(path, OB_S("/v1/models")))) {
        call->dialect = OB_DIALECT_ANTHROPIC;
    } else if (ob_slice_starts(path, OB_S("/v1beta/")) ||
               (ob_slice_starts(path, OB_S("/v1/models/")) &&
                ob_slice_index(path, ':') != OB_NOWHERE)) {
        call->dialect = OB_DIALECT_GEMINI;
    } else if (ob_slice_starts(path, OB_S("/v1/responses"))) {
        call->dialect = OB_DIALECT_RESPONSES;
    } else {
        call->dialect = OB_DIALECT_OPENAI;
    }
}

static void compose(const ob_mock_call *call, ob_mock_answer *answer)
{
    if (!call->get && !yyjson_is_obj(call->body)) {
        ob_mock_fail_body(call, answer, "The body must be a JSON object.");
        return;
    }
    switch (call->dialect) {
    case OB_DIALECT_ANTHROPIC:
        ob_mock_anthropic(call, answer);
        break;
    case OB_DIALECT_GEMINI:
        ob_mock_gemini(call, answer);
        break;
    case OB_DIALECT_RESPONSES:
        ob_mock_responses(call, answer);
        break;
    default:
        ob_mock_openai(call, answer);
        break;
    }
}

void ob_mock_compose(const ob_mock_call *call, ob_mock_answer *answer)
{
    answer->status = 200;
    answer->type = "application/json";
    if (!ob_mock_refuses(call, answer))
        compose(call, answer);
}

void ob_mock_answer_deinit(ob_mock_answer *answer)
{
    ob_buffer_deinit(&answer->body);
}
