package security

import (
	"net/url"
	"regexp"
	"strings"
)

// hidden stands for what nobody may see.
const hidden = "xxxxx"

// secret is what the name of a value that lets somebody in has in it.
const secret = `pass|pwd|psw|kennwort|secret|token|key|sig|auth|credential|session|jwt|login`

// secretWords are in the names of query values that let somebody in.
var secretWords = regexp.MustCompile(`(?i)` + secret + `|^user|^usr$|^pw$|^sas$`)

// Redact is an address as it may be shown: without user and password, and without what looks like a
// secret in its query, its path or its fragment (/user=admin_password=…, as some recorders have it).
// What is no address stays as it is, but for a password in it.
func Redact(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || u.Host == "" && u.User == nil {
		return RedactText(address)
	}
	if u.User != nil {
		u.User = url.User(hidden)
	}
	if u.RawQuery != "" {
		u.RawQuery = redactQuery(u.RawQuery)
	}
	return RedactText(u.String())
}

// redactQuery keeps the order and the writing of everything else.
func redactQuery(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, _, valued := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(name)
		if valued && (err != nil || secretWords.MatchString(plain)) {
			pairs[i] = name + "=" + hidden
		}
	}
	return strings.Join(pairs, "&")
}

var (
	// inText finds who logs in, in an address that stands in a text: up to the last @ before a slash,
	// a space or a quote, as a password may hold an @ that nobody has escaped.
	inText = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)[^\s/"'<>]*@`)
	// named finds secrets by their names, in the query of one, its path or its fragment; \" ends one where
	// the text stands in JSON.
	named = regexp.MustCompile(`(?i)([?&;/#=](?:[^\s=&;/?#"'<>]*(?:` + secret + `)[^\s=&;/?#"'<>]*|user(?:name)?|usr|pw|sas)=)(?:\\[^"]|[^\s&"'<>\\])+`)
)

// RedactText is a text, such as an error, without what addresses in it would give away.
func RedactText(text string) string {
	if !strings.Contains(text, "://") && !strings.Contains(text, "=") {
		return text
	}
	text = inText.ReplaceAllString(text, "${1}"+hidden+"@")
	return named.ReplaceAllString(text, "${1}"+hidden)
}
