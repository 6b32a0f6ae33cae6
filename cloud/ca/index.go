package ca

import (
	"slices"
	"strings"
	"time"
)

// format is that of issued.json.
const format = 1

// index is issued.json: every certificate that was issued, and every token.
type index struct {
	Format       int            `json:"format"`
	Last         time.Time      `json:"last"` // the newest time that anything was done at: a clock before it is wrong
	Certificates []*Certificate `json:"certificates"`
	Tokens       []*token       `json:"tokens"`
	CRLs         map[string]crl `json:"crls"`
}

// Certificate is one that was issued.
type Certificate struct {
	Kind    Kind       `json:"kind"`
	Name    string     `json:"name"`
	Hosts   []string   `json:"hosts,omitempty"`
	Serial  string     `json:"serial"` // hexadecimal
	From    time.Time  `json:"not_before"`
	Until   time.Time  `json:"not_after"`
	Issued  time.Time  `json:"issued"`
	By      string     `json:"by"` // who at this machine, or the address of the device
	Revoked *time.Time `json:"revoked,omitempty"`
	Reason  string     `json:"reason,omitempty"` // of the revocation, with who did it
	Key     string     `json:"key"`              // SHA-256 of the public key
	PEM     string     `json:"pem"`
}

// live says whether brokers let it in.
func (c *Certificate) live(now time.Time) bool { return c.Revoked == nil && now.Before(c.Until) }

// State is how it stands, in a word.
func (c *Certificate) State(now time.Time) string {
	switch {
	case c.Revoked != nil:
		return "revoked"
	case !now.Before(c.Until):
		return "ended"
	case now.Before(c.From):
		return "early"
	}
	return "good"
}

// of is the newest certificate of a name, and how many of its are let in.
func (x *index) of(name string, now time.Time) (newest *Certificate, live int) {
	for _, c := range x.Certificates {
		if c.Name != name {
			continue
		}
		newest = c
		if c.live(now) {
			live++
		}
	}
	return newest, live
}

func (x *index) bySerial(serial string) *Certificate {
	i := slices.IndexFunc(x.Certificates, func(c *Certificate) bool { return c.Serial == serial })
	if i < 0 {
		return nil
	}
	return x.Certificates[i]
}

// List is every certificate, by name, the newest of a name first.
func (f *Folder) List() ([]*Certificate, error) {
	x, err := f.read()
	if err != nil {
		return nil, err
	}
	slices.Reverse(x.Certificates)
	slices.SortStableFunc(x.Certificates, func(a, b *Certificate) int {
		return strings.Compare(string(a.Kind)+"/"+a.Name, string(b.Kind)+"/"+b.Name)
	})
	return x.Certificates, nil
}
