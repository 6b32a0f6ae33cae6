package ca

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base32"
	"encoding/hex"
	"strings"
	"time"

	"cloudcanvas/shared/identity"
)

// Bounds of tokens.
const (
	tokenBytes = 20
	LongestUse = 30 * 24 * time.Hour // a token that is good for longer is a password
	maxTokens  = 10_000
	keptTokens = 90 * 24 * time.Hour // after their end, for those who ask what became of one
)

// token lets one device of a name in, once.
type token struct {
	Name   string     `json:"name"`
	SHA256 string     `json:"sha256"` // the token itself is written nowhere
	Made   time.Time  `json:"made"`
	Until  time.Time  `json:"until"`
	By     string     `json:"by"`
	Used   *time.Time `json:"used,omitempty"`
	From   string     `json:"from,omitempty"`   // the address that used it
	Serial string     `json:"serial,omitempty"` // what was issued for it
}

func (t *token) open(now time.Time) bool { return t.Used == nil && now.Before(t.Until) }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// NewToken makes a token for a device of a name that nobody has. A later token takes the place of an
// earlier one that was not used.
func (f *Folder) NewToken(name, by string, valid time.Duration) (text string, err error) {
	if err := identity.CheckDevice(name); err != nil {
		return "", refuse("%w", err)
	}
	if valid < time.Minute || valid > LongestUse {
		return "", refuse("a token is good for one minute to %s, not %s", LongestUse, valid)
	}
	raw := make([]byte, tokenBytes)
	rand.Read(raw) // never fails: the program ends where the kernel has no randomness
	text = strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
	err = f.change(func(x *index) error {
		if err := f.free(x, name); err != nil {
			return err
		}
		if _, err := f.signer(x, devices); err != nil { // better now than at the device
			return err
		}
		now := f.now().UTC().Truncate(time.Second)
		kept := x.Tokens[:0]
		for _, t := range x.Tokens {
			if now.Sub(t.Until) < keptTokens && (t.Name != name || t.Used != nil) {
				kept = append(kept, t)
			}
		}
		if len(kept) >= maxTokens {
			return refuse("there are %d tokens, which is the limit: wait until some of them are gone, %s after their end", len(kept), keptTokens)
		}
		x.Tokens = append(kept, &token{Name: name, SHA256: digest(text), Made: now, Until: now.Add(valid), By: by})
		x.Last = latest(x.Last, now)
		return nil
	})
	return text, err
}

// Enroll issues a certificate for a token, once. A device whose answer was lost asks again with the same
// key and gets the same certificate, as long as the token is good.
func (f *Folder) Enroll(name, text, from string, life time.Duration, request *x509.CertificateRequest) (cert *x509.Certificate, err error) {
	w := Wanted{Kind: Device, Name: name, Life: life, By: "token, from " + from}
	if err := w.check(); err != nil {
		return nil, err
	}
	key, err := identity.KeyDigest(request.PublicKey)
	if err != nil {
		return nil, refuse("the key: %w", err)
	}
	err = f.change(func(x *index) error {
		t := x.token(name, text)
		now := f.now().UTC().Truncate(time.Second)
		switch {
		case t == nil:
			return refuse("there is no such token for %s", name)
		case t.Used != nil:
			have := x.bySerial(t.Serial)
			if have == nil || have.Key != key || !have.live(now) || !now.Before(t.Until) {
				return refuse("the token of %s was used on %s, from %s: it is good once; if that was not this device, revoke %s", name, t.Used.Format(time.RFC3339), t.From, name)
			}
			cert, err = identity.ParseCertificate([]byte(have.PEM))
			return err
		case !now.Before(t.Until):
			return refuse("the token of %s ended on %s: make another with ca token", name, t.Until.Format(time.RFC3339))
		}
		if err := f.free(x, name); err != nil {
			return err
		}
		if cert, err = f.sign(x, w, request.PublicKey); err != nil {
			return err
		}
		t.Used, t.From, t.Serial = &now, from, cert.SerialNumber.Text(16)
		return nil
	})
	return cert, err
}

// token compares with all, each in constant time.
func (x *index) token(name, text string) (found *token) {
	have := []byte(digest(text))
	for _, t := range x.Tokens {
		if subtle.ConstantTimeCompare(have, []byte(t.SHA256))&subtle.ConstantTimeCompare([]byte(name), []byte(t.Name)) == 1 {
			found = t
		}
	}
	return found
}

// RenewFor renews the certificate of a device that shows it: one that was issued here and is not revoked.
func (f *Folder) RenewFor(shown *x509.Certificate, from string, life time.Duration, request *x509.CertificateRequest) (*x509.Certificate, error) {
	x, err := f.read()
	if err != nil {
		return nil, err
	}
	have := x.bySerial(shown.SerialNumber.Text(16))
	name := shown.Subject.CommonName
	switch {
	case have == nil || have.Kind != Device || have.Name != name:
		return nil, refuse("the certificate that %.80q shows is not in this authority's list", name)
	case have.Revoked != nil:
		return nil, refuse("the certificate of %s was revoked on %s", name, have.Revoked.Format(time.DateOnly))
	}
	return f.Renew(name, "renewed, from "+from, life, request.PublicKey)
}
