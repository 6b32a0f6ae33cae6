package auth

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"cloudcanvas/shared/security"
)

// OIDC is how people log in with a provider of OpenID Connect. Without an issuer nobody does.
type OIDC struct {
	Issuer           string        `yaml:"issuer" desc:"the provider's address, as it writes it: https://login.example/realms/canvas" default:"none: nobody logs in with a provider"`
	ClientID         string        `yaml:"client_id" desc:"the console's id at the provider"`
	ClientSecretFile string        `yaml:"client_secret_file" desc:"file whose first line is the client's secret" default:"none: a public client"`
	ClientSecretEnv  string        `yaml:"client_secret_env" desc:"or the environment variable that holds it"`
	RedirectURL      string        `yaml:"redirect_url" desc:"the console's address for answers, as registered with the provider" default:"public_url and /login/oidc/callback"`
	Scopes           []string      `yaml:"scopes" desc:"what is asked for beside openid"`
	NameClaim        string        `yaml:"name_claim" desc:"the claim that people are called by"`
	RoleClaim        string        `yaml:"role_claim" desc:"the claim that lists groups; dots lead into objects: realm_access.roles"`
	Operators        []string      `yaml:"operators" desc:"groups whose members are operators"`
	Viewers          []string      `yaml:"viewers" desc:"groups whose members are viewers; who is in neither is not let in"`
	Session          time.Duration `yaml:"session" desc:"how long a login holds; 1m to 168h where an issuer is set"`
}

// DefaultOIDC lets nobody log in with a provider.
func DefaultOIDC() OIDC {
	return OIDC{Scopes: []string{"profile", "email"}, NameClaim: "preferred_username", RoleClaim: "groups", Session: 8 * time.Hour}
}

// Enabled says whether people log in with a provider.
func (o OIDC) Enabled() bool { return o.Issuer != "" }

const callbackPath = "/login/oidc/callback"

// redirect is where the provider sends people back to.
func (o OIDC) redirect(publicURL string) string {
	if o.RedirectURL != "" {
		return o.RedirectURL
	}
	return strings.TrimRight(publicURL, "/") + callbackPath
}

// secret is the client's, or empty where it has none.
func (o OIDC) secret() (string, error) {
	if o.ClientSecretEnv != "" {
		secret := os.Getenv(o.ClientSecretEnv)
		if secret == "" {
			return "", fmt.Errorf("the environment variable %s, which holds the secret for the login provider, is empty", o.ClientSecretEnv)
		}
		return secret, nil
	}
	secret, err := security.Security{PasswordFile: o.ClientSecretFile}.Password()
	if err != nil {
		return "", fmt.Errorf("the secret for the login provider: %w", err)
	}
	return secret, nil
}

// Problems lists every mistake in how people log in at a console of that address. Fields begin with oidc.
func (o OIDC) Problems(publicURL string, add func(field, message, hint string)) {
	if !o.Enabled() {
		if o.ClientID != "" {
			add("oidc.issuer", "is missing", "write the provider's address: https://login.example/realms/canvas")
		}
		return
	}
	if !secureURL(o.Issuer) {
		add("oidc.issuer", fmt.Sprintf("%q is no https address", o.Issuer), "write it as the provider does, for example https://login.example/realms/canvas; http is for this machine only")
	}
	if o.ClientID == "" {
		add("oidc.client_id", "is missing", "register the console with the provider and write the id that it gives")
	}
	if o.ClientSecretFile != "" && o.ClientSecretEnv != "" {
		add("oidc.client_secret_env", "is set beside client_secret_file", "give one of them")
	} else if _, err := o.secret(); err != nil {
		add("oidc.client_secret_file", err.Error(), "write the secret into a file of mode 0640, or name an environment variable with client_secret_env")
	}
	switch {
	case o.RedirectURL == "" && publicURL == "":
		add("oidc.redirect_url", "is missing, and so is public_url", "write the address that people use, for example public_url: https://canvas.example")
	case !secureURL(o.redirect(publicURL)) || !strings.HasSuffix(o.redirect(publicURL), callbackPath):
		add("oidc.redirect_url", fmt.Sprintf("%q is no https address that ends in %s", o.redirect(publicURL), callbackPath), "write https://canvas.example"+callbackPath)
	}
	if o.RoleClaim == "" {
		add("oidc.role_claim", "is missing", "name the claim that lists people's groups: groups, or realm_access.roles")
	}
	if len(o.Operators)+len(o.Viewers) == 0 {
		add("oidc.operators", "and viewers are empty: nobody could come in", "name groups: operators: [canvas-operators]")
	}
	if o.Session < time.Minute || o.Session > 7*24*time.Hour {
		add("oidc.session", fmt.Sprintf("is %s", o.Session), "give 1m to 168h")
	}
}

// secureURL says whether an address is https, or http to this machine.
func secureURL(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	a, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && a.IsLoopback())
}
