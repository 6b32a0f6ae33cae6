package auth

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"cloudcanvas/shared/event"
)

// Role is what somebody may do.
type Role string

// Viewers look; operators also decide about dead letters.
const (
	Viewer   Role = "viewer"
	Operator Role = "operator"
)

// Person is who makes a request.
type Person struct {
	Name string
	Role Role
}

// May says whether the person has a role's rights.
func (p Person) May(r Role) bool { return p.Role == Operator || p.Role == r }

// NewToken draws a token and gives the line of the tokens file that lets it in. The file holds only
// its sha256: a token is 256 random bits, so that nothing slower is needed.
func NewToken(name string, role Role) (token, line string, err error) {
	if err := event.CheckName(name); err != nil {
		return "", "", err
	}
	if role != Viewer && role != Operator {
		return "", "", fmt.Errorf("%q is no role: use %s or %s", role, Viewer, Operator)
	}
	var secret [32]byte
	rand.Read(secret[:])
	token = "canvas_" + base64.RawURLEncoding.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(token))
	return token, fmt.Sprintf("%s %s %s", name, role, hex.EncodeToString(sum[:])), nil
}

// tokens are who may come in.
type tokens struct {
	people []Person
	sums   [][sha256.Size]byte
}

// maxTokens bounds the tokens file.
const maxTokens = 10_000

// readTokens reads the tokens file: lines of name, role and sha256, and comments after #. It must be
// closed to other users of the machine.
func readTokens(path string) (*tokens, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the tokens: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the tokens: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("the tokens file %s can be read or changed by everyone on this machine (mode %04o): chmod o-rwx it", path, info.Mode().Perm())
	}
	t, err := parseTokens(file)
	if err != nil {
		return nil, fmt.Errorf("the tokens file %s: %w", path, err)
	}
	return t, nil
}

func parseTokens(r io.Reader) (*tokens, error) {
	t := &tokens{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		var sum [sha256.Size]byte
		if len(words) != 3 || len(words[2]) != hex.EncodedLen(len(sum)) {
			return nil, fmt.Errorf("line %d is not `name role sha256`: `canvas-cloud console token` makes one", n)
		}
		if _, err := hex.Decode(sum[:], []byte(words[2])); err != nil {
			return nil, fmt.Errorf("line %d: %q is no sha256", n, words[2])
		}
		role := Role(words[1])
		if role != Viewer && role != Operator {
			return nil, fmt.Errorf("line %d: %q is no role: use %s or %s", n, role, Viewer, Operator)
		}
		if len(t.people) == maxTokens {
			return nil, fmt.Errorf("more than %d lines", maxTokens)
		}
		t.people, t.sums = append(t.people, Person{words[0], role}), append(t.sums, sum)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(t.people) == 0 {
		return nil, fmt.Errorf("it lets nobody in: `canvas-cloud console token` makes a line")
	}
	return t, nil
}

// who has this token. Every line is looked at, so that the time gives nothing away.
func (t *tokens) who(token string) (p Person, ok bool) {
	sum := sha256.Sum256([]byte(token))
	for i := range t.sums {
		if subtle.ConstantTimeCompare(sum[:], t.sums[i][:]) == 1 {
			p, ok = t.people[i], true
		}
	}
	return p, ok
}

// sessions are the browsers that have shown a token or came from the login provider, by a random
// number in a cookie. They end with the process.
type sessions struct {
	mu  sync.Mutex
	all map[string]session
}

type session struct {
	Person
	until time.Time
}

const (
	sessionLife = 12 * time.Hour
	maxSessions = 10_000
)

func (s *sessions) begin(p Person, now time.Time, life time.Duration) string {
	id := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]session{}
	}
	if len(s.all) >= maxSessions {
		clear(s.all) // everybody logs in again
	}
	s.all[id] = session{p, now.Add(life)}
	return id
}

func (s *sessions) who(id string, now time.Time) (Person, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.all[id]
	if ok && now.After(found.until) {
		delete(s.all, id)
		ok = false
	}
	return found.Person, ok
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, id)
}
