package console

import (
	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"fmt"
	"net/http"
	"strconv"
)

type lettersBody struct {
	Letters []Letter
	Sources []letterSource
	Blocked []blockedEdge
	May     bool // the person may decide
	Acts    []auth.Act
	Page    int
	More    bool
}

func (k *Console) lettersPage(r *http.Request) (any, error) {
	page, err := request.Page(r)
	if err != nil {
		return nil, err
	}
	body := lettersBody{Page: page, Acts: k.acts(20), May: auth.Who(r).May(auth.Operator), Blocked: k.blockedEdges()}
	if body.Sources, err = k.letterSources(r.Context()); err != nil {
		return nil, err
	}
	body.Letters, err = k.letters(r, pageRows+1, (page-1)*pageRows)
	if len(body.Letters) > pageRows {
		body.Letters, body.More = body.Letters[:pageRows], true
	}
	return body, err
}

// letters lists dead letters with what was done about them.
func (k *Console) letters(r *http.Request, limit, offset int) ([]Letter, error) {
	found, err := k.index.DeadLetters.Find(r.Context(), limit, offset)
	all := make([]Letter, len(found))
	for i, l := range found {
		all[i] = Letter{l, k.box.of(l)}
	}
	return all, err
}

type letterBody struct {
	Letter
	Preview
	May bool // the person may decide
}

func (k *Console) letterPage(r *http.Request) (any, error) {
	l, err := k.letterAsked(r)
	if err != nil {
		return nil, err
	}
	return letterBody{Letter: l, Preview: preview(l.Head, l.Bytes), May: auth.Who(r).May(auth.Operator)}, nil
}

func (k *Console) letterAsked(r *http.Request) (Letter, error) {
	partition, err := strconv.Atoi(r.PathValue("partition"))
	offset, err2 := strconv.ParseInt(r.PathValue("offset"), 10, 64)
	if err != nil || err2 != nil || partition < 0 || offset < 0 {
		return Letter{}, fmt.Errorf("the dead letter is %w", index.ErrUnknown)
	}
	l, err := k.index.DeadLetters.One(r.Context(), partition, offset)
	return Letter{l, k.box.of(l)}, err
}

// decide replays or discards a letter, as the form's action says.
func (k *Console) decide(w http.ResponseWriter, r *http.Request) {
	l, err := k.letterAsked(r)
	if err == nil {
		err = r.ParseForm()
	}
	if err == nil {
		err = k.act(r, l, r.PostForm.Get("action"))
	}
	if err != nil {
		k.refuser.Fail(w, r, err)
		return
	}
	http.Redirect(w, r, l.Path(), http.StatusSeeOther)
}

func (k *Console) act(r *http.Request, l Letter, action string) (err error) {
	who := auth.Who(r).Name
	switch action {
	case actReplay, actDiscard:
		err = k.box.do(r.Context(), who, action, l.DeadLetter)
	default:
		err = fmt.Errorf("%w: action %.20q is neither %s nor %s", request.ErrBad, action, actReplay, actDiscard)
	}
	if err == nil {
		k.Logger.Info("an operator has decided about a dead letter", "who", who, "action", action, "letter", nameOf(l.DeadLetter))
		k.index.Notices.Add(index.Notice{What: index.AboutDeadLetter})
	}
	return err
}
