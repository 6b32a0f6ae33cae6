package durable

import gosync "sync"

// Group brings folders to the disk for many at a time: those who ask for one folder while it is being
// synced share the next sync. The zero value is ready; safe for concurrent use.
type Group struct {
	mu      gosync.Mutex
	folders map[string]*turns
	sync    func(dir string) error // nil: SyncFolder
}

// turns are the sync of a folder that runs, which may have missed what was renamed since, and the next.
type turns struct{ next *turn }

type turn struct {
	done chan struct{}
	err  error
}

// Folder returns when all names that were in the folder before the call are on the disk.
func (g *Group) Folder(dir string) error {
	t := g.join(dir)
	<-t.done
	return t.err
}

func (g *Group) join(dir string) *turn {
	g.mu.Lock()
	defer g.mu.Unlock()
	if running := g.folders[dir]; running != nil {
		if running.next == nil {
			running.next = &turn{done: make(chan struct{})}
		}
		return running.next
	}
	if g.folders == nil {
		g.folders = map[string]*turns{}
	}
	g.folders[dir] = &turns{}
	t := &turn{done: make(chan struct{})}
	go g.run(dir, t)
	return t
}

// run takes one turn after the other until nobody has asked for another.
func (g *Group) run(dir string, t *turn) {
	sync := g.sync
	if sync == nil {
		sync = SyncFolder
	}
	for t != nil {
		t.err = sync(dir)
		close(t.done)
		t = g.after(dir)
	}
}

func (g *Group) after(dir string) (t *turn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t = g.folders[dir].next; t == nil {
		delete(g.folders, dir)
		return nil
	}
	g.folders[dir].next = nil
	return t
}
