package cli

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// shells are the scripts that ask the command itself what may come next. NAME is the command.
var shells = []struct{ name, script string }{
	{"bash", `_FUNCTION() {
  local at="${COMP_WORDS[COMP_CWORD]}" before=("${COMP_WORDS[@]:0:COMP_CWORD}") may
  if [[ $at == -* ]]; then before+=("$at"); fi
  may=$("${before[@]}" --generate-bash-completion 2>/dev/null)
  COMPREPLY=($(compgen -W "$may" -- "$at"))
}
complete -o bashdefault -o default -F _FUNCTION NAME
`},
	{"zsh", `#compdef NAME
_FUNCTION() {
  local -a before may
  before=("${words[@]:0:$((CURRENT - 1))}")
  if [[ ${words[CURRENT]} == -* ]]; then before+=("${words[CURRENT]}"); fi
  may=("${(@f)$("${before[@]}" --generate-bash-completion 2>/dev/null)}")
  if [[ -n ${may[1]} ]]; then compadd -a may; else _files; fi
}
compdef _FUNCTION NAME
`},
	{"fish", ""}, // its script says everything itself
}

// completionCommand prints a shell's script.
func completionCommand() *cli.Command {
	names := make([]string, len(shells))
	for i, s := range shells {
		names[i] = s.name
	}
	return &cli.Command{
		Name: "completion", Usage: "print a script that completes this command in a shell: source <(… completion bash)", ArgsUsage: strings.Join(names, "|"),
		BashComplete: func(c *cli.Context) { fmt.Fprintln(c.App.Writer, strings.Join(names, "\n")) },
		Action: func(c *cli.Context) error {
			for _, s := range shells {
				if c.NArg() != 1 || c.Args().First() != s.name {
					continue
				}
				script := strings.NewReplacer("FUNCTION", strings.ReplaceAll(c.App.Name, "-", "_"), "NAME", c.App.Name).Replace(s.script)
				if s.name == "fish" {
					var err error
					if script, err = c.App.ToFishCompletion(); err != nil {
						return fmt.Errorf("make the script for fish: %w", err)
					}
				}
				_, err := fmt.Fprint(c.App.Writer, script)
				return err
			}
			return Usagef("completion takes the name of a shell: %s", strings.Join(names, ", "))
		},
	}
}

// manCommand prints the manual page, for those who install the command.
func manCommand() *cli.Command {
	return &cli.Command{
		Name: "man", Usage: "print the manual page of this command", Hidden: true,
		Action: func(c *cli.Context) error {
			page, err := c.App.ToMan()
			if err != nil {
				return fmt.Errorf("make the manual page: %w", err)
			}
			_, err = fmt.Fprint(c.App.Writer, page)
			return err
		},
	}
}
