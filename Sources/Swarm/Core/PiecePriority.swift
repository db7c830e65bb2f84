/// What a part of a torrent is worth.
public enum PiecePriority: Hashable, Sendable {
  /// It is not wanted; what somebody reads of it is fetched nevertheless.
  case skip
  /// It is wanted.
  case normal
  /// It is wanted before all that is normal.
  case high
}

extension PiecePicker.Priority {
  init(_ priority: PiecePriority) {
    switch priority {
    case .skip: self = .skip
    case .normal: self = .normal
    case .high: self = .high
    }
  }
}
