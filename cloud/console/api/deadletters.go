package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/decisions"
	"cloudcanvas/cloud/console/request"
)

// deadLetters answers about dead letters and the edges that make them, and takes decisions.
type deadLetters struct{ o Options }

// The paths say letters, as in the first version of the API.
func (a deadLetters) endpoints() []endpoint {
	return []endpoint{
		get("/letters", "Dead letters, the latest first", paging, list[decisions.DeadLetter]{}, a.find),
		get("/letters/{partition}/{offset}", "One dead letter", nil, decisions.DeadLetter{}, func(r *http.Request) (any, error) { return a.asked(r) }),
		post("/letters/{partition}/{offset}", "Replay or discard a dead letter; needs the role operator", decision{}, decisions.DeadLetter{}, a.decide),
		get("/letters/sources", "Which edges make dead letters, and why, the worst first", nil, list[decisions.Source]{}, a.sources),
		get("/edges/blocked", "Edges that are blocked, by whom and why", nil, list[decisions.BlockedEdge]{}, a.blocked),
		post("/edges/blocked", "Block an edge or unblock it; needs the role operator", decisions.BlockRequest{}, list[decisions.BlockedEdge]{}, a.block),
	}
}

// decision is what an operator asks for.
type decision struct {
	Action string `json:"action"` // replay or discard
}

func (a deadLetters) asked(r *http.Request) (decisions.DeadLetter, error) {
	return a.o.Decisions.Asked(r)
}

func (a deadLetters) find(r *http.Request) (any, error) {
	limit, offset, err := request.Window(r.URL.Query())
	if err != nil {
		return nil, err
	}
	all, err := a.o.Decisions.Find(r.Context(), limit+1, offset)
	if err != nil {
		return nil, err
	}
	return page(r, all, limit, offset), nil
}

func (a deadLetters) decide(r *http.Request) (any, error) {
	l, err := a.asked(r)
	if err != nil {
		return nil, err
	}
	var d decision
	if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
		return nil, fmt.Errorf("%w: the body is no JSON: %w", request.ErrBad, err)
	}
	if err := a.o.Decisions.Decide(r.Context(), auth.Who(r).Name, d.Action, l); err != nil {
		return nil, err
	}
	return a.asked(r)
}

func (a deadLetters) sources(r *http.Request) (any, error) {
	all, err := a.o.Decisions.Sources(r.Context())
	return list[decisions.Source]{Items: all}, err
}

func (a deadLetters) blocked(*http.Request) (any, error) {
	return list[decisions.BlockedEdge]{Items: a.o.Decisions.Blocked()}, nil
}

func (a deadLetters) block(r *http.Request) (any, error) {
	var asked decisions.BlockRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, fmt.Errorf("%w: the body is no JSON: %w", request.ErrBad, err)
	}
	if err := a.o.Decisions.DecideEdge(r.Context(), auth.Who(r).Name, asked); err != nil {
		return nil, err
	}
	return a.blocked(r)
}
