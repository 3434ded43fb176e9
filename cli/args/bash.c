/* Completion for bash, which needs nothing but bash: one function that looks at the word before the cursor. */
#include "cli/args/complete.h"

static const char before[] =
    "# bash completion for weir, made from its option tables by: weir help --completion bash\n"
    "_weir_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$cur\")); }\n"
    "_weir_files() {\n"
    "    local IFS=$'\\n'\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    COMPREPLY=($(compgen -f -- \"$cur\"))\n"
    "}\n"
    "# names of hook points: the one after the last comma\n"
    "_weir_hooks() {\n"
    "    local first=\n"
    "    case $cur in *,*) first=${cur%,*}, ;; esac\n"
    "    compopt -o nospace 2>/dev/null\n"
    "    COMPREPLY=($(compgen -P \"$first\" -W \"$_weir_points\" -- \"${cur##*,}\"))\n"
    "}\n"
    "# how many words before this one are neither options nor their values\n"
    "_weir_count() {\n"
    "    local i word\n"
    "    count=0\n"
    "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case \" $1 \" in *\" $word \"*) [ \"${COMP_WORDS[i + 1]}\" = = ] && ((i++)); ((i++)); continue ;; esac\n"
    "        case $word in -*) ;; *) ((count++)) ;; esac\n"
    "    done\n"
    "}\n"
    "_weir() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} count\n"
    "    COMPREPLY=()\n"
    "    if [ \"$COMP_CWORD\" -eq 1 ]; then _weir_words \"$_weir_commands help --help --version\"; return; fi\n"
    "    if [ \"$cur\" = = ]; then cur=; elif [ \"$prev\" = = ]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi\n"
    "    case ${COMP_WORDS[1]} in\n"
    "    help) _weir_words \"$_weir_commands\" ;;\n";

static const char *const calls[] = {
    [COMPLETES_NOTHING] = ":", [COMPLETES_FILES] = "_weir_files", [COMPLETES_HOOKS] = "_weir_hooks"};

static void put_option_names(FILE *to, const struct opt *opt, const char *between)
{
    if (opt->letter)
        fprintf(to, "-%c%s", opt->letter, between);
    fprintf(to, "--%s", opt->name);
}

/* A case of the value of one option, by the word before the cursor. */
static void put_bash_value(FILE *to, const struct opt *opt)
{
    enum completes what = completes_of(opt);
    fputs("        ", to);
    put_option_names(to, opt, "|");
    if (what == COMPLETES_WORDS) {
        fputs(") _weir_words \"", to);
        put_words(to, opt);
        fputs("\" ;;\n", to);
    } else {
        fprintf(to, ") %s ;;\n", calls[what]);
    }
}

/* The names of those options that take a value, or of all. */
static void put_bash_options(FILE *to, const struct command *command, bool all)
{
    for (int i = 0; i < command->n_opts; i++) {
        if (!all && command->opts[i].kind == OPT_FLAG)
            continue;
        put_option_names(to, &command->opts[i], " ");
        fputc(' ', to);
    }
}

/* The case of one command: values of options, names of options, arguments by their number. */
static void put_bash_command(FILE *to, const struct command *command)
{
    fprintf(to, "    %s)\n        case $prev in\n", command->name);
    for (int i = 0; i < command->n_opts; i++)
        if (command->opts[i].kind != OPT_FLAG)
            put_bash_value(to, &command->opts[i]);
    fputs("        *)\n            case $cur in -*) _weir_words \"", to);
    put_bash_options(to, command, true);
    fputs("--help\"; return ;; esac\n            _weir_count \"", to);
    put_bash_options(to, command, false);
    fputs("\"\n            case $count in\n", to);
    for (int i = 0; i < command->most_words; i++)
        fprintf(to, "            %d) %s ;;\n", i, calls[completes_word(command, i)]);
    fputs("            esac ;;\n        esac ;;\n", to);
}

void complete_bash(FILE *to, const struct command *const *commands, size_t n)
{
    fputs(before, to);
    for (size_t i = 0; i < n; i++)
        put_bash_command(to, commands[i]);
    fputs("    esac\n}\n_weir_points=\"", to);
    put_hooks(to);
    fputs("\"\n_weir_commands=\"", to);
    for (size_t i = 0; i < n; i++)
        fprintf(to, "%s%s", i ? " " : "", commands[i]->name);
    fputs("\"\ncomplete -F _weir weir\n", to);
}
