/** Going to a day. */
export const days = {
  goToDay: "Go to a day",
  day: "Day",
  cancel: "Cancel",
  go: "Go there",
  noneSince: "No message on this device is from that day or later.",
  noDay: "Choose a day.",
}
