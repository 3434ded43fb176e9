/* config.json: which keys a family reads, which it does not, what is said of bad values. */
#include "model/config.h"
#include "model/keys.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SIZES                                                                                                          \
    "\"vocab_size\":99,\"hidden_size\":48,\"num_hidden_layers\":3,\"num_attention_heads\":6,\"num_key_value_heads\":2"

struct read {
    struct weir_config config;
    const struct weir_family *family;
    weir_status status;
};

/* Both begin as the family's row, padding and all. */
static bool same_bytes(const struct weir_config *a, const struct weir_config *b)
{
    const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;
    for (size_t i = 0; i < sizeof *a; i++)
        if (x[i] != y[i])
            return false;
    return true;
}

/* A config.json of that model type with these members more. */
static struct read parse(const char *model_type, const char *more)
{
    struct read got = {0};
    char text[2048];
    cJSON *json;
    snprintf(text, sizeof text, "{\"model_type\":\"%s\",%s%s}", model_type, SIZES, more);
    cr_assert(weir_json_parse(&json, "config.json", text, strlen(text)) == WEIR_OK, "%s", weir_message());
    got.status = weir_config_from_json(&got.config, &got.family, json, "config.json");
    cJSON_Delete(json);
    return got;
}

static void says(const char *model_type, const char *more, weir_status status, const char *key, const char *what)
{
    struct read got = parse(model_type, more);
    cr_expect(got.status == status, "%s%s: %d", model_type, more, got.status);
    cr_expect(strstr(weir_message(), "config.json: ") && strstr(weir_message(), key) && strstr(weir_message(), what),
              "%s%s: %s", model_type, more, weir_message());
    weir_config_close(&got.config);
}

Test(config, values_that_cannot_be_name_file_and_key)
{
    says("llama", ",\"rms_norm_eps\":\"tiny\"", WEIR_E_INPUT, "\"rms_norm_eps\"", "a number");
    says("llama", ",\"rms_norm_eps\":NaN", WEIR_E_INPUT, "\"rms_norm_eps\"", "a number");
    says("llama", ",\"rope_theta\":Infinity", WEIR_E_INPUT, "\"rope_theta\"", "a number");
    says("llama", ",\"head_dim\":0", WEIR_E_INPUT, "\"head_dim\"", "from 1");
    says("mistral", ",\"sliding_window\":-2", WEIR_E_INPUT, "\"sliding_window\"", "from -1");
    says("mixtral", ",\"num_local_experts\":-1", WEIR_E_INPUT, "\"num_local_experts\"", "from 1");
    says("gemma2", ",\"hidden_activation\":\"swosh\"", WEIR_E_UNSUPPORTED, "\"hidden_activation\"", "swosh");
    says("qwen2", ",\"layer_types\":[\"full_attention\"]", WEIR_E_INPUT, "\"layer_types\"", "3 layers");
    says("smollm3", ",\"no_rope_layers\":[1,1]", WEIR_E_INPUT, "\"no_rope_layers\"", "3 layers");
    says("qwen3_moe", ",\"mlp_only_layers\":[7]", WEIR_E_INPUT, "\"mlp_only_layers\"", "numbers of layers");
    says("gemma", ",\"use_bidirectional_attention\":true", WEIR_E_UNSUPPORTED, "\"use_bidirectional_attention\"",
         "true");
    says("gpt_oss", ",\"swiglu_alpha\":2.5", WEIR_E_UNSUPPORTED, "\"swiglu_alpha\"", "2.5");
    says("llama", ",\"rope_scaling\":7", WEIR_E_INPUT, "\"rope_scaling\"", "object");
    says("llama", ",\"quantization_config\":{\"quant_algo\":\"FP8\"}", WEIR_E_UNSUPPORTED, "\"quantization_config\"",
         "FP8");
    says("frobnicator", "", WEIR_E_UNSUPPORTED, "model_type", "docs/families.md");
    says("stablelm_epoch", "", WEIR_E_UNSUPPORTED, "model_type", "\"stablelm\"");
}

/* As in transformers, which cannot run them; only Qwen's block takes a dense MLP then. */
Test(config, a_sparse_family_without_experts_is_refused_by_the_key)
{
    static const char *const families[] = {"mixtral", "phimoe", "gpt_oss", "olmoe"};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        says(families[i], ",\"num_local_experts\":0", WEIR_E_INPUT, "\"num_local_experts\" is 0", "from 1");
        says(families[i], ",\"num_local_experts\":null", WEIR_E_INPUT, "the number of experts", "does not give");
    }
    says("mixtral", ",\"num_experts\":0", WEIR_E_INPUT, "\"num_experts\" is 0", "from 1");
    says("gpt_oss", ",\"num_experts\":0", WEIR_E_INPUT, "\"num_experts\" is 0", "from 1");
    says("olmoe", ",\"num_experts\":0", WEIR_E_INPUT, "\"num_experts\" is 0", "from 1");
    cr_expect(parse("qwen3_moe", ",\"num_experts\":0,\"num_experts_per_tok\":0").status == WEIR_OK);
}

Test(config, as_many_experts_as_there_are_can_be_chosen_and_no_more)
{
    static const char *const families[] = {"mixtral", "gpt_oss", "olmoe", "qwen3_moe"};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        says(families[i], ",\"num_local_experts\":4,\"num_experts_per_tok\":0", WEIR_E_INPUT, "num_experts_per_tok",
             "from 1 to 4");
        says(families[i], ",\"num_local_experts\":4,\"num_experts_per_tok\":5", WEIR_E_INPUT, "num_experts_per_tok",
             "5 of 4");
        says(families[i], ",\"num_experts_per_tok\":-1", WEIR_E_INPUT, "\"num_experts_per_tok\" is -1", "from 0");
    }
}

Test(config, the_same_keys_mean_nothing_where_they_are_not_read)
{
    static const char *const keys[] = {",\"norm_eps\":\"tiny\"",
                                       ",\"sliding_window\":-2",
                                       ",\"num_local_experts\":-1",
                                       ",\"hidden_activation\":\"swosh\"",
                                       ",\"layer_types\":[3]",
                                       ",\"no_rope_layers\":[1]",
                                       ",\"swiglu_alpha\":2.5",
                                       ",\"clip_qkv\":\"\"",
                                       ",\"n_embed\":3",
                                       ",\"qk_layernorm\":7"};
    struct read plain = parse("llama", "");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct read got = parse("llama", keys[i]);
        cr_expect(got.status == WEIR_OK, "%s: %s", keys[i], weir_message());
        cr_expect(same_bytes(&got.config, &plain.config), "%s", keys[i]);
        weir_config_close(&got.config);
    }
    weir_config_close(&plain.config);
}

Test(config, of_two_names_the_one_that_the_family_prefers_counts)
{
    cr_expect(parse("bloom", ",\"n_embed\":96").config.d_model == 96);
    cr_expect(parse("bloom", ",\"n_embed\":null").config.d_model == 48);
    cr_expect(parse("gpt2", ",\"n_layer\":7").config.n_layers == 3);
    cr_expect(parse("gpt_neox", ",\"rotary_pct\":0.5,\"partial_rotary_factor\":1").config.rotary_dims == 4);
    cr_expect(parse("mixtral", ",\"num_local_experts\":4,\"num_experts\":6").config.n_experts == 6);
    cr_expect(parse("olmoe", ",\"num_local_experts\":10,\"num_experts\":12").config.n_experts == 10);
    cr_expect(parse("gemma2", ",\"hidden_act\":\"relu\"").config.activation == WEIR_ACT_GELU_TANH);
    cr_expect(parse("gemma", ",\"hidden_act\":\"gelu\"").config.activation == WEIR_ACT_GELU_TANH);
    cr_expect(parse("llama", ",\"rope_theta\":5,\"rope_parameters\":{\"rope_theta\":7}").config.rope[0].theta == 7);
    cr_expect(parse("gpt_neo",
                    ",\"attention_layers\":[\"local\",\"global\",\"global\"],\"attention_types\":[[[\"local\"],3]]")
                  .config.sliding[1] == 0);
    cr_expect(parse("llama", ",\"head_dim\":4,\"head_dim\":16").config.d_head == 16, "the last, as Python has it");
}

Test(config, a_window_of_0_or_minus_1_is_none)
{
    cr_expect(parse("mistral", ",\"sliding_window\":0").config.window == 0);
    cr_expect(parse("mistral", ",\"sliding_window\":-1").config.window == 0);
    cr_expect(parse("mistral", ",\"sliding_window\":7").config.window == 7);
    cr_expect(parse("qwen2", ",\"sliding_window\":7").config.window == 0, "not used");
}

Test(config, biases_are_those_that_the_config_says)
{
    cr_expect(parse("llama", "").config.biases == 0);
    cr_expect(parse("llama", ",\"mlp_bias\":true").config.biases == WEIR_MLP_ROLES);
    cr_expect(!(parse("gpt_neox", ",\"attention_bias\":false").config.biases & WEIR_ROLE(QKV)));
    cr_expect(parse("qwen2", ",\"attention_bias\":false").config.biases == WEIR_QKV_ROLES, "Qwen 2 reads no such key");
}

static size_t list_unread(char *names, size_t size, const char *model_type, const char *text)
{
    cJSON *json;
    size_t n = 0, at = 0;
    cr_assert(weir_json_parse(&json, "config.json", text, strlen(text)) == WEIR_OK);
    const struct weir_family *family = weir_family_of_model_type(model_type);
    for (const cJSON *key = weir_config_unread(family, json->child); key;
         key = weir_config_unread(family, key->next), n++)
        at += (size_t)snprintf(names + at, size - at, "%s ", key->string);
    cJSON_Delete(json);
    return n;
}

Test(config, what_is_not_read_can_be_listed_without_bookkeeping)
{
    char names[256] = "";
    const char *text = "{\"hidden_size\":4,\"residual_multiplier\":2,\"use_cache\":true,\"torch_dtype\":\"bfloat16\","
                       "\"clip_qkv\":null,\"num_experts\":3,\"attention_dropout\":0.1}";
    cr_expect(list_unread(names, sizeof names, "llama", text) == 2);
    cr_expect_str_eq(names, "residual_multiplier num_experts ");
    cr_expect(list_unread(names, sizeof names, "mixtral", text) == 1, "%s", names);
    cr_expect(list_unread(names, sizeof names, "llama", "{}") == 0);
}

Test(config, names_with_spaces_are_in_no_list)
{
    cr_expect(weir_key_is_in(" a bc ", "a") && weir_key_is_in(" a bc ", "bc"));
    cr_expect(!weir_key_is_in(" a bc ", " a") && !weir_key_is_in(" a bc ", "a bc") && !weir_key_is_in(" a bc ", "") &&
              !weir_key_is_in("a bc ", "a") && !weir_key_is_in(" a bc ", "b"));
    says("mistral", ",\"layer_types\":[\" full_attention\",\"full_attention\",\"full_attention\"]", WEIR_E_UNSUPPORTED,
         "\"layer_types\"", " full_attention");
}
