package observe

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/turn"
)

// turn to merge. Who has none to wait for, or has merged, leaves it to others.
func (o *Observer) turn(in Input, out change.Observed) (ahead int) {
	uid := string(in.Change.GetUID())
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.turns[in.Repository.GetUID()]
	if s := out.Status; s.Phase != v1alpha1.ChangeMerging || s.Merged != nil {
		if t != nil {
			t.Leave(uid)
		}
		return 0
	}
	if t == nil {
		t = &turn.Turns{}
		if o.turns == nil {
			o.turns = map[types.UID]*turn.Turns{}
		}
		o.turns[in.Repository.GetUID()] = t
	}
	return t.Ask(uid, o.Now())
}
