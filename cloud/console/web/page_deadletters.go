package web

import (
	"net/http"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/decisions"
	"cloudcanvas/cloud/console/preview"
	"cloudcanvas/cloud/console/request"
)

// deadLetterPages are all dead letters with the devices that they come from, and one; operators decide there.
type deadLetterPages struct{ *Site }

type deadLettersBody struct {
	DeadLetters []decisions.DeadLetter
	Sources     []decisions.Source
	Blocked     []decisions.BlockedEdge
	May         bool // the person may decide
	Acts        []auth.Act
	Page        int
	More        bool
}

func (s deadLetterPages) all(r *http.Request) (any, error) {
	page, err := request.Page(r)
	if err != nil {
		return nil, err
	}
	body := deadLettersBody{Page: page, Acts: s.o.Decisions.Acts(20), May: auth.Who(r).May(auth.Operator), Blocked: s.o.Decisions.Blocked()}
	if body.Sources, err = s.o.Decisions.Sources(r.Context()); err != nil {
		return nil, err
	}
	body.DeadLetters, err = s.o.Decisions.Find(r.Context(), pageRows+1, (page-1)*pageRows)
	if len(body.DeadLetters) > pageRows {
		body.DeadLetters, body.More = body.DeadLetters[:pageRows], true
	}
	return body, err
}

type deadLetterBody struct {
	decisions.DeadLetter
	preview.Preview
	May bool // the person may decide
}

func (s deadLetterPages) one(r *http.Request) (any, error) {
	l, err := s.o.Decisions.Asked(r)
	if err != nil {
		return nil, err
	}
	return deadLetterBody{DeadLetter: l, Preview: preview.Of(l.Head, l.Bytes), May: auth.Who(r).May(auth.Operator)}, nil
}

// decide replays or discards a dead letter, as the form's action says.
func (s deadLetterPages) decide(w http.ResponseWriter, r *http.Request) {
	l, err := s.o.Decisions.Asked(r)
	if err == nil {
		err = r.ParseForm()
	}
	if err == nil {
		err = s.o.Decisions.Decide(r.Context(), auth.Who(r).Name, r.PostForm.Get("action"), l)
	}
	if err != nil {
		s.o.Refuser.Fail(w, r, err)
		return
	}
	http.Redirect(w, r, l.Path(), http.StatusSeeOther)
}

// block blocks or unblocks an edge, as the form's action says.
func (s deadLetterPages) block(w http.ResponseWriter, r *http.Request) {
	err := r.ParseForm()
	if err == nil {
		err = s.o.Decisions.DecideEdge(r.Context(), auth.Who(r).Name,
			decisions.BlockRequest{Edge: request.Name(r, "edge"), Action: r.PostForm.Get("action"), Reason: r.PostForm.Get("reason")})
	}
	if err != nil {
		s.o.Refuser.Fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/letters", http.StatusSeeOther)
}
