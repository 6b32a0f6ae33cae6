package index

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrUnknown says that the index has no such thing.
var ErrUnknown = errors.New("not known here")

// list is what a query finds; fields are where the columns of a row go.
func list[T any](ctx context.Context, db *sql.DB, what string, fields func(*T) []any, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", what, err)
	}
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		var one T
		if err := rows.Scan(fields(&one)...); err != nil {
			return nil, fmt.Errorf("look up %s: %w", what, err)
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// one is the only row that a query finds, or ErrUnknown of what.
func one[T any](ctx context.Context, db *sql.DB, what string, fields func(*T) []any, query string, args ...any) (found T, err error) {
	err = db.QueryRowContext(ctx, query, args...).Scan(fields(&found)...)
	if errors.Is(err, sql.ErrNoRows) {
		return found, fmt.Errorf("%s is %w", what, ErrUnknown)
	}
	return found, err
}

// itself is a row of one column.
func itself[T any](v *T) []any { return []any{v} }

// stamp reads a time of the index.
type stamp struct{ into *time.Time }

func (s stamp) Scan(v any) error {
	ms, _ := v.(int64)
	*s.into = instant(ms)
	return nil
}

// instant is a time of the index: Unix milliseconds; 0 is none.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// parsed reads JSON; an empty text is nothing.
type parsed struct{ into any }

func (p parsed) Scan(v any) error {
	switch v := v.(type) {
	case string:
		if v != "" {
			return json.Unmarshal([]byte(v), p.into)
		}
	case []byte:
		return json.Unmarshal(v, p.into)
	}
	return nil
}

// appended adds a number to a list; NULL adds nothing.
type appended struct{ to *[]float64 }

func (a appended) Scan(v any) error {
	if f, ok := v.(float64); ok {
		*a.to = append(*a.to, f)
	}
	return nil
}

func asJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}
