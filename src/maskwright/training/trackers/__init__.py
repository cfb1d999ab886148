"""Where runs are shown to people while they train; one file each."""

from maskwright.training.trackers._tracker import Opening, Session, Status, Tracker

__all__ = ["Opening", "Session", "Status", "Tracker"]
