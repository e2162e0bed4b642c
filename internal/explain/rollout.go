package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/control"
)

// rolloutNodes are the Rollout, if there is one, with its Releases.
func (e *explainer) rolloutNodes() []Node {
	if e.Rollout == nil {
		return nil
	}
	v := control.See(e.Rollout, e.Now)
	n := Node{What: "Rollout " + v.Name, State: phaseState(v), Message: v.Message}
	n.because = e.stopped(v)
	n.Children = slices.Concat(e.images(v), e.preflight(v), e.steps(v), e.waves(v))
	shown, folded := fold(e.releases())
	n.Children, n.folded = append(n.Children, shown...), folded
	if n.State == Progressing && worst(n.Children) == Failed {
		n.State = Failed
	}
	return []Node{n}
}

func phaseState(v control.View) State {
	switch v.Phase {
	case v1alpha1.RolloutCompleted:
		if v.Behind {
			return Progressing
		}
		return Healthy
	case v1alpha1.RolloutHalted, v1alpha1.RolloutBlocked, v1alpha1.RolloutRollingBack, v1alpha1.RolloutRolledBack, v1alpha1.RolloutAborted:
		return Failed
	case v1alpha1.RolloutWaiting, v1alpha1.RolloutPaused:
		return Waiting
	case v1alpha1.RolloutPreflight, v1alpha1.RolloutProgressing:
	}
	return Progressing
}

// stopped says by whom it is stopped, where it was somebody, and how to let it go on.
func (e *explainer) stopped(v control.View) []Cause {
	say := func(word string) string { return control.Command("rollout "+word+" "+v.Name, v.Namespace) }
	switch {
	case e.Rollout.Status.AtProvider.Held != nil:
		kind, name := Application, v.Application
		if v.Fleet != "" {
			kind, name = Fleet, v.Fleet
		}
		if e.Held != nil {
			return nil // The claim says it.
		}
		return []Cause{e.held(kind, name, e.Rollout.Status.AtProvider.Held)}
	case v.Behind && v.Failed == nil:
		return []Cause{{State: Waiting, Message: "The provider has not looked yet at what is wanted now.", Next: []string{
			"Where that does not change within a minute, is the provider running? kubectl get providers",
		}}}
	case v.Phase == v1alpha1.RolloutPaused && e.Rollout.Spec.ForProvider.Strategy.Paused:
		return []Cause{{State: Waiting, Message: "Its strategy pauses it.", Next: []string{"Take paused out of the application's rollout policy."}}}
	case v.Phase == v1alpha1.RolloutPaused:
		return []Cause{{State: Waiting, Message: "Somebody paused it.", Next: []string{say("resume")}}}
	case v.Phase == v1alpha1.RolloutAborted:
		return []Cause{{State: Waiting, Message: "Somebody aborted revision " + control.Short(v.Revision) + ".", Next: []string{say("resume"), say("rollback")}}}
	case strings.Contains(v.Message, "frozen by "):
		return []Cause{{State: Waiting, Message: v.Message, Next: []string{"Nothing: it goes on when the freeze is over. It stands in the rollout policy."}}}
	case strings.Contains(strings.ToLower(strings.ReplaceAll(v.Message, "-", "")), "allowdeletions"):
		return []Cause{{State: Waiting, Message: v.Message, Next: []string{"Is it meant that these clusters lose the application? If so:", say("allow-deletions")}}}
	}
	return nil
}

// held back because no approved change carries what the claim says.
func (e *explainer) held(kind Kind, name string, h *v1alpha1.RolloutHold) Cause {
	// Changes are where their Repository is, and not where the claim is.
	open := "mainstay change list -A"
	ops, change, _ := strings.Cut(h.Change, "/")
	if h.Change != "" {
		open = control.Command("change list", ops)
	}
	c := Cause{State: Waiting, Message: h.Message + ".", Next: []string{
		"To keep what it says now, open a merge request that says the same, and have it approved. Which are open:", open,
	}}
	if h.ClaimDigest == "" || strings.Contains(h.Message, "cannot tell") {
		c.Next = []string{"Nothing new begins before that is mended. docs/install.md lists what the provider must be allowed to read."}
		return c
	}
	claim := fmt.Sprintf("%s %s", kind, name)
	if h.Change == "" {
		c.Message = fmt.Sprintf("No approved change carries %s (digest %s).", claim, control.Short(h.ClaimDigest))
		return c
	}
	c.Message = fmt.Sprintf("Edited by hand: no approved change carries what %s says now (digest %s). Change %s carries %s.",
		claim, control.Short(h.ClaimDigest), h.Change, control.Short(h.Granted))
	if h.Granted == "" {
		c.Message = fmt.Sprintf("Made by hand: change %s deletes %s (it says %s now).", h.Change, claim, control.Short(h.ClaimDigest))
	}
	c.Next = append(c.Next, "Or put back what that change says:", control.Command("change show "+change, ops))
	return c
}

// images and what their tags were resolved to. Those that hold everything up are causes.
func (e *explainer) images(v control.View) []Node {
	if len(v.Images) == 0 {
		return nil
	}
	required := v.Phase == v1alpha1.RolloutBlocked && e.Rollout.Spec.ForProvider.Strategy.Images == v1alpha1.ImagesRequire
	n, pinned := Node{State: Healthy}, 0
	for _, im := range v.Images {
		below := Node{What: "image " + im.Image, State: Healthy, Message: control.ImageText(im)}
		switch {
		case im.Digest != "":
			pinned++
		case required:
			below.State, n.State = Failed, Failed
			below.because = []Cause{{State: Failed, Message: fmt.Sprintf("Image %s must be resolved to a digest before anything is started: %s.", im.Image, im.Message), Next: []string{
				"It is tried again and again. Or name the image by its digest, or let the rollout policy say images: Resolve.",
			}}}
		}
		if len(n.Children) < maxShown {
			n.Children = append(n.Children, below)
		}
	}
	n.What, n.Message = plural(len(v.Images), "image", "images"), fmt.Sprintf("%d pinned to digests", pinned)
	return []Node{n}
}

// preflight findings that block, one cause each.
func (e *explainer) preflight(v control.View) []Node {
	if v.Preflight == nil || v.Preflight.Blocking == 0 {
		return nil
	}
	n := Node{What: "preflight", State: Failed, Message: fmt.Sprintf("would not start on %s", control.Clusters(v.Preflight.Blocking))}
	for _, f := range v.Preflight.Findings {
		if f.Severity != v1alpha1.Blocking || f.Waived != "" {
			continue
		}
		c := Cause{State: Failed, Message: f.Cause + " " + f.Message, Clusters: int(f.Clusters), Examples: f.Examples}
		if f.Object != "" {
			c.Message = f.Cause + " " + f.Object + ": " + f.Message
		}
		if f.Fix != "" {
			c.Next = []string{f.Fix}
		}
		n.because = append(n.because, c)
	}
	return []Node{n}
}

// steps that are on their way, or failed.
func (e *explainer) steps(v control.View) []Node {
	var out []Node
	for _, s := range v.Steps {
		n := Node{What: "step " + s.Name, State: Progressing, Message: s.Message, mute: true}
		switch s.Phase {
		case v1alpha1.StepFailed:
			n.State, n.mute = Failed, false
		case v1alpha1.StepRunning:
			if a := asked(v, s.Name); a != nil {
				n.State, n.because = Waiting, []Cause{approvalCause(v, a, "Step "+s.Name)}
			}
		case v1alpha1.StepPending, v1alpha1.StepSucceeded, v1alpha1.StepSkipped:
			continue
		}
		out = append(out, n)
	}
	return out
}

// waves, those that are over folded.
func (e *explainer) waves(v control.View) []Node {
	var out, over, pending []Node
	for _, w := range v.Waves {
		n := Node{What: "wave " + w.Name, State: Progressing, mute: true, Message: fmt.Sprintf("%d of %s healthy", w.Clusters.Ready, control.Clusters(w.Clusters.Total))}
		switch w.Phase {
		case v1alpha1.WaveOver:
			n.State = Healthy
			over = append(over, n)
			continue
		case v1alpha1.WavePending:
			n.State = Waiting
			pending = append(pending, n)
			continue
		case v1alpha1.WaveFailed:
			n.State = Failed
		case v1alpha1.WaveSoaking:
			n.State = Waiting
			if w.SoakLeft > 0 {
				n.Message += ", soaks for " + control.Ago(w.SoakLeft) + " more"
				n.because = []Cause{{State: Waiting, Message: fmt.Sprintf("Wave %s soaks: it must stay healthy for %s more.", w.Name, control.Ago(w.SoakLeft)), Next: []string{"Nothing: it goes on by itself."}}}
			}
		case v1alpha1.WaveGated, v1alpha1.WaveMoving:
		}
		for _, g := range w.Gates {
			if !g.Open {
				n.State = min2(n.State, Waiting)
				n.Children = append(n.Children, gate(v, w, g))
			}
		}
		out = append(out, n)
	}
	return slices.Concat(folded(over, "waves over"), out, folded(pending, "waves to come"))
}

// min2 is the worse of two states.
func min2(a, b State) State {
	if rank(b) < rank(a) {
		return b
	}
	return a
}

// gate that is closed.
func gate(v control.View, w control.Wave, g control.Gate) Node {
	key := w.Name + "/" + g.Name
	n := Node{What: "gate " + key, State: Waiting, Message: g.Message}
	if a := asked(v, key); a != nil {
		n.because = []Cause{approvalCause(v, a, "Gate "+key)}
		return n
	}
	n.because = []Cause{{State: Waiting, Message: fmt.Sprintf("Gate %s has been closed for %s: %s", key, control.Ago(g.ClosedFor), g.Message), Next: []string{
		"It is asked again and again, and the rollout goes on once it is open. To go back instead:", control.Command("rollout rollback "+v.Name, v.Namespace),
	}}}
	return n
}

// asked approval by its name, where it is one.
func asked(v control.View, name string) *control.Approval {
	for i := range v.Approvals {
		if v.Approvals[i].Gate == name && !v.Approvals[i].Optional {
			return &v.Approvals[i]
		}
	}
	return nil
}

func approvalCause(v control.View, a *control.Approval, what string) Cause {
	message := fmt.Sprintf("%s waits for an approval.", what)
	if a.Needed > 1 {
		message = fmt.Sprintf("%s waits for %d approvals, and has %d.", what, a.Needed, len(a.By))
	}
	return Cause{State: Waiting, Message: message, Next: []string{control.Command(fmt.Sprintf("rollout approve %s %s", v.Name, a.Gate), v.Namespace)}}
}

// then is what can be done with the Rollout once the causes are mended.
func (e *explainer) then(causes []Cause) []string {
	if e.Rollout == nil {
		return nil
	}
	v := control.See(e.Rollout, e.Now)
	var out []string
	switch v.Phase {
	case v1alpha1.RolloutHalted, v1alpha1.RolloutRolledBack:
		for _, n := range v.Next {
			told := slices.ContainsFunc(causes, func(c Cause) bool { return slices.Contains(c.Next, n) })
			if !told && !strings.Contains(n, " explain ") {
				out = append(out, n)
			}
		}
	case v1alpha1.RolloutPreflight, v1alpha1.RolloutProgressing, v1alpha1.RolloutWaiting, v1alpha1.RolloutPaused,
		v1alpha1.RolloutBlocked, v1alpha1.RolloutRollingBack, v1alpha1.RolloutAborted, v1alpha1.RolloutCompleted:
	}
	return out
}
