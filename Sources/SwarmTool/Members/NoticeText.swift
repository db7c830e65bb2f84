import Metainfo
import Swarm

extension Notice.PeerEnd {
  /// Why a peer is gone, as the end of a sentence.
  var text: String {
    switch self {
    case .connection(let reason): reason
    case .notBitTorrent(let error): "not BitTorrent: \(error)"
    case .silent: "nothing came from it in time"
    case .unknownTorrent: "it asked for a torrent that is not here"
    case .isSelf: "it is this node"
    case .duplicate: "there is a connection to it already"
    case .protocolError(let error): "it broke the protocol: \(error)"
    case .extensionError(let error): "it broke the protocol: \(error)"
    case .misconduct(let what): "it broke the rules: \(what)"
    case .corrupt(let what): "it sent wrong bytes: \(what)"
    case .useless: "neither side has anything for the other"
    case .tooMany: "there are as many peers as may be"
    case .stopping: "this node stops"
    }
  }
}
