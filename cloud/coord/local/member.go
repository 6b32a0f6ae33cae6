package local

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"cloudcanvas/cloud/coord"
)

func memberKey(m coord.Member) string { return m.Role + " " + m.ID }

func checkMember(m coord.Member) error {
	if err := errors.Join(coord.CheckName(m.ID), coord.CheckName(m.Role)); err != nil {
		return fmt.Errorf("joining as a member: %w", err)
	}
	return nil
}

// Join keeps m among the members until ctx ends.
func (c *Coordinator) Join(ctx context.Context, m coord.Member) error {
	if err := checkMember(m); err != nil {
		return err
	}
	s, key := c.space, memberKey(m)
	var mine *session // under which m stands now
	for {
		s.mu.Lock()
		session, err := c.live()
		if err != nil {
			s.mu.Unlock()
			return err
		}
		at, taken := s.members[key]
		switch {
		case ctx.Err() != nil:
			if taken && at.session == mine {
				delete(s.members, key)
				s.touch()
			}
			s.mu.Unlock()
			return ctx.Err()
		case !taken:
			mine = session
			s.members[key] = entry{m, session}
			s.touch()
		case at.session == session:
			m = at.Member // as Describe last said it
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// Describe brings the description of a joined member up to date.
func (c *Coordinator) Describe(ctx context.Context, m coord.Member) error {
	if err := checkMember(m); err != nil {
		return err
	}
	s, key := c.space, memberKey(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	session, err := c.live()
	if err != nil {
		return err
	}
	if s.members[key].session != session {
		return fmt.Errorf("describing member %s: it has not joined here", m.ID)
	}
	s.members[key] = entry{m, session}
	s.touch()
	return ctx.Err()
}

// Members sends the members of a role whenever they change.
func (c *Coordinator) Members(ctx context.Context, role string) (<-chan []coord.Member, error) {
	return watch(ctx, c, func() ([]coord.Member, string) {
		members := []coord.Member{}
		for m := range maps.Values(c.space.members) {
			if m.Role == role {
				m.Rates, m.Models = maps.Clone(m.Rates), maps.Clone(m.Models)
				members = append(members, m.Member)
			}
		}
		slices.SortFunc(members, func(a, b coord.Member) int { return cmp.Compare(a.ID, b.ID) })
		mark, _ := json.Marshal(members) // always marshals: text and numbers
		return members, string(mark)
	})
}
