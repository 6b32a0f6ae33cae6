package console

import (
	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// blockedEdge is an edge that is shut out.
type blockedEdge struct {
	Edge   string    `json:"edge"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

func (k *Console) blockedEdges() []blockedEdge {
	all := []blockedEdge{}
	if list := k.box.blocked.Load(); list != nil {
		for edge, e := range *list {
			all = append(all, blockedEdge{edge, e.By, e.At, e.Reason})
		}
	}
	slices.SortFunc(all, func(a, b blockedEdge) int { return cmp.Compare(a.Edge, b.Edge) })
	return all
}

func (k *Console) isBlocked(edge string) bool {
	list := k.box.blocked.Load()
	return list != nil && list.Has(edge)
}

// acts are the latest things that operators did: here, as the audit has it, and with letters anywhere.
func (k *Console) acts(n int) []auth.Act {
	decided := k.box.decided(n)
	all := slices.DeleteFunc(k.audit.Latest(10*n), func(a auth.Act) bool {
		return len(decided) > 0 && (a.Action == actReplay || a.Action == actDiscard)
	})
	all = append(all, decided...)
	slices.SortStableFunc(all, func(a, b auth.Act) int { return b.Time.Compare(a.Time) })
	return all[:min(n, len(all))]
}

// blockWish is what an operator wants of an edge.
type blockWish struct {
	Edge   string `json:"edge"`
	Action string `json:"action"` // block or unblock
	Reason string `json:"reason"`
}

func (k *Console) blockForm(w http.ResponseWriter, r *http.Request) {
	err := r.ParseForm()
	if err == nil {
		err = k.block(r, blockWish{request.Name(r, "edge"), r.PostForm.Get("action"), r.PostForm.Get("reason")})
	}
	if err != nil {
		k.refuser.Fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/letters", http.StatusSeeOther)
}

func (k *Console) apiBlock(r *http.Request) (any, error) {
	var wish blockWish
	if err := json.NewDecoder(r.Body).Decode(&wish); err != nil {
		return nil, fmt.Errorf("%w: the body is no JSON: %w", request.ErrBad, err)
	}
	if err := k.block(r, wish); err != nil {
		return nil, err
	}
	return list[blockedEdge]{Items: k.blockedEdges()}, nil
}

func (k *Console) block(r *http.Request, wish blockWish) error {
	who, edge := auth.Who(r).Name, wish.Edge
	if err := k.box.block(r.Context(), who, wish.Action, edge, wish.Reason); err != nil {
		return err
	}
	k.Logger.Info("an operator has decided about an edge", "who", who, "action", wish.Action, "edge", edge)
	k.index.Notices.Add(index.Notice{What: index.AboutDeadLetter})
	return nil
}

func (k *Console) apiSources(r *http.Request) (any, error) {
	all, err := k.letterSources(r.Context())
	return list[letterSource]{Items: all}, err
}

func (k *Console) letterSources(ctx context.Context) ([]letterSource, error) {
	found, err := k.index.DeadLetters.Sources(ctx)
	all := make([]letterSource, len(found))
	for i, s := range found {
		all[i] = letterSource{s, k.isBlocked(s.Edge)}
	}
	return all, err
}
