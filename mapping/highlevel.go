package mapping

import "time"

// highLevelNote writes a note in HighLevel.
type highLevelNote struct{ text *template }

func loadHighLevelNote(f *fields) action {
	f.required("text")
	f.fixedNonempty("text")
	return &highLevelNote{f.template("text", "")}
}

func (a *highLevelNote) kind() ItemKind { return ItemHighLevelNote }
func (a *highLevelNote) reads() reads   { return a.text.reads }

func (a *highLevelNote) item(r *run, env map[string]any) (Item, error) {
	return noteItem(a.text, r, env)
}

// dueDate is when a task in HighLevel is due.
type dueDate struct {
	date  *template
	clock time.Duration // for a date alone
}

func loadDueDate(f *fields, otherwise string) dueDate {
	f.fixedDate("due", exampleDate(f))
	return dueDate{f.template("due", otherwise), f.clock("at", "17:00")}
}

func (d dueDate) instant(r *run, env map[string]any) (time.Time, error) {
	date, err := fillDate("due", d.date, r, env)
	switch {
	case err != nil:
		return time.Time{}, err
	case date.IsZero():
		return time.Time{}, skip("there is no due date")
	}
	return date.Instant(d.clock, r.zone).UTC(), nil
}

// highLevelTask writes a task in HighLevel.
type highLevelTask struct {
	title, body, assignedTo *template
	due                     dueDate
}

func loadHighLevelTask(f *fields) action {
	f.required("title")
	f.fixedNonempty("title")
	f.required("due")
	f.referTo("assigned_to", highLevelUser)
	return &highLevelTask{
		title: f.template("title", ""), body: f.template("body", ""), assignedTo: f.template("assigned_to", ""), due: loadDueDate(f, ""),
	}
}

func (a *highLevelTask) kind() ItemKind { return ItemHighLevelTask }
func (a *highLevelTask) reads() reads   { return readsOf(a.title, a.body, a.assignedTo, a.due.date) }

func (a *highLevelTask) item(r *run, env map[string]any) (item Item, err error) {
	if item.Due, err = a.due.instant(r, env); err != nil {
		return Item{}, err
	}
	if err := fillEach(env,
		textField{"title", a.title, &item.Title, oneLine},
		textField{"body", a.body, &item.Text, r.rules.tidy},
		textField{"assigned_to", a.assignedTo, &item.AssignedTo, oneLine},
	); err != nil {
		return Item{}, err
	}
	if item.Title == "" {
		return Item{}, skip("the title is empty")
	}
	return item, nil
}

const notOfTask = skip("the meeting was not made for a task")

// completeTask completes the task that the meeting was made for.
type completeTask struct{}

func loadCompleteTask(*fields) action { return completeTask{} }

func (completeTask) kind() ItemKind { return ItemCompleteTask }
func (completeTask) reads() reads   { return reads{} }

// item is wanted even if the task is already completed. Otherwise Milepost would complete
// it again after a person reopens it.
func (completeTask) item(r *run, _ map[string]any) (Item, error) {
	if r.facts.Task.ID == "" {
		return Item{}, notOfTask
	}
	return Item{}, nil
}

// rescheduleTask moves the due date of the task for which the meeting was made. Unless the
// automation says otherwise, the new due date is the end of a task item, or the start of an
// event item.
type rescheduleTask struct{ start, end dueDate }

func loadRescheduleTask(f *fields) action {
	end := loadDueDate(f, "{{ meeting.end }}")
	start := end
	if !f.has("due") {
		start.date = f.template("due", "{{ meeting.start }}")
	}
	return &rescheduleTask{start, end}
}

func (a *rescheduleTask) kind() ItemKind { return ItemRescheduleTask }
func (a *rescheduleTask) reads() reads   { return a.end.date.reads }

func (a *rescheduleTask) item(r *run, env map[string]any) (item Item, err error) {
	if r.facts.Task.ID == "" {
		return Item{}, notOfTask
	}
	due := a.end
	if r.meeting.Kind == ItemEvent {
		due = a.start
	}
	item.Due, err = due.instant(r, env)
	return item, err
}
