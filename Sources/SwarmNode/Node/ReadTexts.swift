import Swarm

extension StalledRead.Reason {
  /// What is waited for, for people and programs: a clause.
  public var text: String {
    switch self {
    case .checking: "what is here is being checked"
    case .metadata: "no peer has told what the torrent is"
    case .peers: "no peer is connected"
    case .availability: "no connected peer has it"
    case .choked: "no peer that has it lets us fetch it"
    case .answer(0): "it is about to be asked for"
    case .answer(1): "the peer that was asked has not answered"
    case .answer(let peers): "the \(peers) peers that were asked have not answered"
    case .hashes: "what proves it has not come"
    case .disk: "the disk has no room, or does not answer"
    case .turn: "others are read first"
    }
  }
}

extension ReadFailure {
  /// Why, for people: the end of a sentence.
  public var text: String {
    switch self {
    case .timeout(let reason): "nobody had the bytes in time: \(reason.text)"
    case .closed: "the torrent was closed"
    case .outOfRange: "there are no such bytes"
    }
  }
}
