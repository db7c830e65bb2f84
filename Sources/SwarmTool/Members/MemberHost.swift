import Swarm
import SwarmNode

/// What carries members: a command for the one that it is about, the daemon for many.
///
/// Belongs to the loop's thread, as members do.
protocol MemberHost: AnyObject {
  var loop: EventLoop { get }
  /// The node that they take part with.
  var node: Node { get }
  /// How the node looks for others.
  var network: NetworkOptions { get }

  /// Whether files of a torrent are offered to readers, so that it must stay.
  func isOffering(_ torrent: TorrentID) -> Bool
  /// The files of what the member is about can be read from now on.
  func canBeRead(_ member: Member)
  /// All that was asked for is here, and no newer version is known of.
  func isComplete(_ member: Member)
  /// The member can do nothing more; why.
  func failed(_ member: Member, _ reason: String)
}
