/// Who passes on what a member has to tell: a terminal, a pipe, or those who listen to the daemon.
protocol Teller: AnyObject {
  /// A line about the work.
  func note(_ text: String)
  /// Something that is not as it should be.
  func warn(_ text: String)
  /// The same, where an event tells programs of it.
  func warnPeople(_ text: String)
  /// A line of results.
  func result(_ text: String) throws(Failure)
  /// The same for programs: an object with a name.
  func event(_ name: String, _ members: [(String, JSON)])
}
