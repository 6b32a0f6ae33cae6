package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"cloudcanvas/cloud/console/text"
)

// provider lets people log in with OpenID Connect: authorization code with PKCE, state and nonce. What
// the provider says of itself is asked for when it is first needed, and again while it does not answer.
type provider struct {
	config   OIDC
	redirect string
	secret   string
	client   *http.Client
	now      func() time.Time
	flows    flows

	mu    sync.Mutex
	found *oidc.Provider
	err   error     // of the last try …
	again time.Time // … which is not repeated before
}

// How long the provider may take to answer, and how long its silence is believed.
const (
	providerTakes = 5 * time.Second
	providerRests = 3 * time.Second
)

func newProvider(c OIDC, publicURL string, now func() time.Time) (*provider, error) {
	secret, err := c.secret()
	if err != nil {
		return nil, err
	}
	return &provider{config: c, redirect: c.redirect(publicURL), secret: secret, client: &http.Client{Timeout: providerTakes}, now: now}, nil
}

// What can go wrong with a login, in words for people.
var (
	errProvider = errors.New("the login provider does not answer")
	errStale    = errors.New("this login was not begun here, is over, or took too long: begin again")
	errDenied   = errors.New("the login provider did not let you in")
	errToken    = errors.New("what the login provider said of you can't be trusted")
	errNoRole   = errors.New("you are known, but have no role here")
)

// discover is the provider as it describes itself.
func (p *provider) discover() (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if p.err != nil && p.now().Before(p.again) {
		return nil, p.err
	}
	// Not the request's context: the provider keeps it for fetching keys later.
	found, err := oidc.NewProvider(oidc.ClientContext(context.Background(), p.client), p.config.Issuer)
	if err != nil {
		p.err, p.again = fmt.Errorf("%w: %s: %w", errProvider, p.config.Issuer, err), p.now().Add(providerRests)
		return nil, p.err
	}
	p.found, p.err = found, nil
	return found, nil
}

func (p *provider) oauth(at *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{ClientID: p.config.ClientID, ClientSecret: p.secret, Endpoint: at.Endpoint(), RedirectURL: p.redirect,
		Scopes: append([]string{oidc.ScopeOpenID}, p.config.Scopes...)}
}

// begin gives the provider's address to send somebody to, and the state by which they are known again.
func (p *provider) begin() (address, state string, err error) {
	at, err := p.discover()
	if err != nil {
		return "", "", err
	}
	f := flow{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier(), until: p.now().Add(flowLife)}
	p.flows.add(f)
	return p.oauth(at).AuthCodeURL(f.state, oidc.Nonce(f.nonce), oauth2.S256ChallengeOption(f.verifier)), f.state, nil
}

// finish takes the provider's answer. expected is the state that the browser was given. A person is
// given also beside errNoRole.
func (p *provider) finish(ctx context.Context, expected string, answer func(string) string) (who Person, err error) {
	state := answer("state")
	if state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(expected)) != 1 {
		return who, errStale
	}
	f, ok := p.flows.take(state, p.now())
	if !ok {
		return who, errStale
	}
	if why := answer("error"); why != "" {
		return who, fmt.Errorf("%w: %.200s %.500s", errDenied, why, answer("error_description"))
	}
	at, err := p.discover()
	if err != nil {
		return who, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), providerTakes)
	defer cancel()
	token, err := p.oauth(at).Exchange(ctx, answer("code"), oauth2.VerifierOption(f.verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		return who, fmt.Errorf("%w: %.200s", errDenied, refused.ErrorCode)
	case err != nil:
		return who, fmt.Errorf("%w: %w", errProvider, err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := at.Verifier(&oidc.Config{ClientID: p.config.ClientID, Now: p.now}).Verify(ctx, raw)
	if err != nil {
		return who, fmt.Errorf("%w: %w", errToken, err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.nonce)) != 1 {
		return who, fmt.Errorf("%w: it belongs to another login (nonce)", errToken)
	}
	return p.person(id)
}

// person is who an id token speaks of, with the highest role that its groups give.
func (p *provider) person(id *oidc.IDToken) (who Person, err error) {
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return who, fmt.Errorf("%w: %w", errToken, err)
	}
	if party, _ := claims["azp"].(string); len(id.Audience) > 1 && party != p.config.ClientID {
		return who, fmt.Errorf("%w: it was made for another program (azp)", errToken)
	}
	who.Name = text.Cut(id.Subject, text.MaxName)
	if name, _ := claims[p.config.NameClaim].(string); name != "" && name != id.Subject {
		who.Name = text.Cut(name, text.MaxName) + " (" + who.Name + ")" // names change hands, subjects don't
	}
	groups := names(claim(claims, p.config.RoleClaim))
	member := func(of []string) bool {
		return slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(of, g) })
	}
	switch {
	case member(p.config.Operators):
		who.Role = Operator
	case member(p.config.Viewers):
		who.Role = Viewer
	default:
		return who, fmt.Errorf("%w: ask for one of the groups %s", errNoRole, strings.Join(append(slices.Clone(p.config.Viewers), p.config.Operators...), ", "))
	}
	return who, nil
}

// claim is what stands under a path of names; a claim whose own name has dots comes first.
func claim(claims map[string]any, path string) any {
	if v, ok := claims[path]; ok {
		return v
	}
	head, rest, deeper := strings.Cut(path, ".")
	if inner, ok := claims[head].(map[string]any); ok && deeper {
		return claim(inner, rest)
	}
	return nil
}

// names are those of a claim that is one or a list.
func names(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			switch one := one.(type) {
			case string:
				all = append(all, one)
			case json.Number:
				all = append(all, one.String())
			}
		}
	}
	return all
}
