#include "members.h"

/* Chat completions, responses, Anthropic, Gemini. */
static const ob_member_names names[] = {
    [OB_MEMBER_COUNT] = {"n", "n", "n", "generationConfig.candidateCount"},
    [OB_MEMBER_SEED] = {"seed", "seed", "seed", "generationConfig.seed"},
    [OB_MEMBER_TEMPERATURE] = {"temperature", "temperature", "temperature",
                               "generationConfig.temperature"},
    [OB_MEMBER_TOP_P] = {"top_p", "top_p", "top_p", "generationConfig.topP"},
    [OB_MEMBER_TOP_K] = {"top_k", "top_k", "top_k", "generationConfig.topK"},
    [OB_MEMBER_FREQUENCY] = {"frequency_penalty", "frequency_penalty",
                             "frequency_penalty",
                             "generationConfig.frequencyPenalty"},
    [OB_MEMBER_PRESENCE] = {"presence_penalty", "presence_penalty",
                            "presence_penalty",
                            "generationConfig.presencePenalty"},
    [OB_MEMBER_LOGPROBS] = {"logprobs", "include", "logprobs",
                            "generationConfig.responseLogprobs"},
    [OB_MEMBER_TOP_LOGPROBS] = {"top_logprobs", "top_logprobs", "top_logprobs",
                                "generationConfig.logprobs"},
    [OB_MEMBER_ANY_LOGPROBS] = {"logprobs", "top_logprobs", "logprobs",
                                "generationConfig.responseLogprobs"},
    [OB_MEMBER_STOP] = {"stop", "stop", "stop_sequences",
                        "generationConfig.stopSequences"},
    [OB_MEMBER_THINKING] = {"reasoning_effort", "reasoning", "thinking",
                            "generationConfig.thinkingConfig"},
    [OB_MEMBER_EFFORT] = {"reasoning_effort", "reasoning.effort",
                          "output_config.effort",
                          "generationConfig.thinkingConfig.thinkingLevel"},
    [OB_MEMBER_BUDGET] = {"reasoning.max_tokens", "reasoning", "thinking",
                          "generationConfig.thinkingConfig.thinkingBudget"},
    [OB_MEMBER_SHOW_THINKING] =
        {"include_reasoning", "reasoning.summary", "thinking.display",
         "generationConfig.thinkingConfig.includeThoughts"},
    [OB_MEMBER_FORMAT] = {"response_format", "text.format",
                          "output_config.format",
                          "generationConfig.responseMimeType"},
    [OB_MEMBER_TIER] = {"service_tier", "service_tier", "service_tier",
                        "serviceTier"},
    [OB_MEMBER_CACHE_KEY] = {"prompt_cache_key", "prompt_cache_key",
                             "prompt_cache_key", "prompt_cache_key"},
    [OB_MEMBER_TOOL_CHOICE] = {"tool_choice", "tool_choice", "tool_choice",
                               "toolConfig.functionCallingConfig"},
    [OB_MEMBER_USER] = {"user", "user", "metadata.user_id", "user"},
    [OB_MEMBER_VERBOSITY] = {"verbosity", "text.verbosity", "verbosity",
                             "verbosity"},
};

ob_slice ob_form_member(const ob_form *form, ob_member_of_form member)
{
    return ob_form_name(form, &names[member]);
}

void ob_form_drop_member(ob_form *form, ob_member_of_form member)
{
    ob_form_drop(form, ob_form_member(form, member));
}
