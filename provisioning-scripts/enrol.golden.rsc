# Mastwire enr_00000000000074df977b2330ae12d70d: joins one router, until 2026-01-17T09:00Z.
# Paste all of this into a terminal of the router. Pasted again, it finishes what was left.
{
# An interface or account of this name that is not of this enrolment stays as it is, and nothing is done.
:foreach mwRow in=[/interface wireguard find where name="wg-mastwire"] do={
  :if ([:tostr [/interface wireguard get $mwRow comment]] != "mw:1c663cf4d73c") do={
    :put "Mastwire: wg-mastwire is here from an earlier or another controller. To take it away:"
    :put "/interface wireguard peers remove [find where interface=\"wg-mastwire\"]"
    :put "/ip address remove [find where interface=\"wg-mastwire\"]"
    :put "/interface wireguard remove wg-mastwire"
    :error "Mastwire: nothing was changed. Take the old interface away and paste again."
  }
}
:foreach mwRow in=[/user find where name="mastwire"] do={
  :if (!([:tostr [/user get $mwRow comment]] ~ "^mw:")) do={
    :error "Mastwire: nothing was changed. Rename the account mastwire, which is not ours, and paste again."
  }
}
:foreach mwRow in=[/user group find where name="mastwire"] do={
  :if (!([:tostr [/user group get $mwRow comment]] ~ "^mw:")) do={
    :error "Mastwire: nothing was changed. Rename the group mastwire, which is not ours, and paste again."
  }
}

# Until the first peer is there, nothing of this reaches outside of the router.
:if ([:len [/interface wireguard find where comment="mw:1c663cf4d73c"]] = 0) do={
  /interface wireguard add name=wg-mastwire mtu=1420 comment="mw:1c663cf4d73c"
}
:if ([:len [/ip address find where comment="mw:022ab1ba8040"]] = 0) do={
  /ip address add address=10.10.1.1/32 network=10.10.0.1 interface=wg-mastwire comment="mw:022ab1ba8040"
} else={
  /ip address set [find where comment="mw:022ab1ba8040"] address=10.10.1.1/32 network=10.10.0.1
}
:local mwRules [/ip firewall filter find where chain="input" !dynamic]
:if ([:len [/ip firewall filter find where comment="mw:cb293e6770eb"]] = 0) do={
  :if ([:len $mwRules] = 0) do={
    /ip firewall filter add chain=input action=accept in-interface=wg-mastwire \
      src-address=10.10.0.1 comment="mw:cb293e6770eb"
  } else={
    /ip firewall filter add chain=input action=accept in-interface=wg-mastwire \
      src-address=10.10.0.1 comment="mw:cb293e6770eb" place-before=[:pick $mwRules 0]
  }
}
:if ([:len [/user group find where name="mastwire"]] = 0) do={
  /user group add name=mastwire policy=api,read,write,policy,test,sensitive comment="mw:da211e6a663b"
} else={
  /user group set [find where name="mastwire"] policy=api,read,write,policy,test,sensitive comment="mw:da211e6a663b"
}

# Settings that exist once: what was off is marked by an entry that does nothing, so that it can be put back.
:if ([/system ntp client get enabled] != true) do={
  :if ([:len [/ip firewall address-list find where comment="mw:11aabecb86be"]] = 0) do={
    /ip firewall address-list add list=mw-ntp-was-off address=10.10.0.1 disabled=yes comment="mw:11aabecb86be"
  }
  :if ([:len [:tostr [/system ntp client get servers]]] = 0) do={
    :if ([:len [/ip firewall address-list find where comment="mw:f6d0c233a1c4"]] = 0) do={
      /ip firewall address-list add list=mw-ntp-had-no-servers address=10.10.0.1 disabled=yes \
        comment="mw:f6d0c233a1c4"
    }
    /system ntp client set servers=pool.ntp.org
  }
  /system ntp client set enabled=yes
}
# The API service: opened to the hub alone if it was off; one that is closed to the hub is reported, not changed.
:local mwApi [/ip service find where name="api" !dynamic]
:local mwFrom [:tostr [/ip service get $mwApi address]]
:if ([/ip service get $mwApi disabled] && ([:len $mwFrom] = 0 || $mwFrom = "10.10.0.1/32")) do={
  :if ([:len [/ip firewall address-list find where comment="mw:febe023d51d6"]] = 0) do={
    /ip firewall address-list add list=mw-api-was-off address=10.10.0.1 disabled=yes comment="mw:febe023d51d6"
  }
  :set mwFrom "10.10.0.1/32"
  /ip service set $mwApi address=10.10.0.1/32
  /ip service set $mwApi disabled=no
}
:local mwClosed ([/ip service get $mwApi disabled] || [/ip service get $mwApi port] != 8728)
:if ([:len $mwFrom] > 0 && [:typeof [:find $mwFrom "10.10.0.1"]] = "nil") do={ :set mwClosed true }

# The account and the lasting peer. Where an earlier peer works, it stays until the enrolment has proven itself.
:local mwOld [/interface wireguard peers find where interface="wg-mastwire" \
  comment~"^mw:" comment!="mw:616750997ac0" comment!="mw:6953798876a2"]
:local mwReady ([:len $mwOld] = 0)
:local mwPlaced false
:local mwJoined false
:for mwSecond from=0 to=60 do={
  :foreach mwRow in=[/interface wireguard peers find where comment="mw:616750997ac0"] do={
    :local mwSeen [/interface wireguard peers get $mwRow last-handshake]
    :if ([:tostr $mwSeen] ~ "[0-9]") do={ :if ($mwSeen < 3m) do={ :set mwJoined true } }
  }
  :if (!$mwJoined) do={
    :foreach mwRow in=[/interface wireguard peers find where comment="mw:6953798876a2"] do={
      :if ([:tostr [/interface wireguard peers get $mwRow last-handshake]] ~ "[0-9]") do={ :set mwReady true }
    }
    :if ($mwReady && !$mwPlaced) do={
      :if ([:len [/user find where comment="mw:ebfab5059be7"]] = 0) do={
        :if ([:len [/user find where name="mastwire"]] = 0) do={
          /user add name=mastwire group=mastwire address=10.10.0.1/32 comment="mw:ebfab5059be7" \
            password="a-password-of-the-block"
        } else={
          /user set [find where name="mastwire"] group=mastwire address=10.10.0.1/32 disabled=no \
            comment="mw:ebfab5059be7" password="a-password-of-the-block"
        }
      }
      :if ([:len [/interface wireguard peers find where comment="mw:616750997ac0"]] = 0) do={
        /interface wireguard peers remove $mwOld
        /interface wireguard peers add interface=wg-mastwire allowed-address=10.10.0.1/32 \
          public-key="AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=" \
          preshared-key="BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=" \
          endpoint-address=vpn.isp.example endpoint-port=51820 \
          persistent-keepalive=25s comment="mw:616750997ac0"
      }
      :set mwPlaced true
    }
    :if ($mwSecond = 0) do={
      :if ([:len [/interface wireguard peers find where comment="mw:6953798876a2"]] = 0) do={
        /interface wireguard peers add interface=wg-mastwire allowed-address=10.10.0.2/32 \
          public-key="AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=" \
          preshared-key="AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=" \
          endpoint-address=vpn.isp.example endpoint-port=51820 \
          persistent-keepalive=25s comment="mw:6953798876a2"
      }
    }
    :delay 1s
  }
}

:if ($mwClosed) do={
  :log warning "Mastwire: the API service is closed to the controller"
  :put "Mastwire: the API service is closed to the controller. To open it to the controller alone:"
  :put "/ip service set api disabled=no address=10.10.0.1/32 port=8728"
}
:if ($mwJoined) do={
  :log info "Mastwire: joined"
  :put "Mastwire: joined. The rest happens at the controller."
} else={
  :log warning "Mastwire: not joined within 60 s: used, expired, or UDP 51820 to vpn.isp.example is blocked"
  :put "Mastwire: not joined within 60 s. Either this text was used by another router, or it has expired"
  :put "(2026-01-17T09:00Z), or UDP port 51820 to vpn.isp.example is blocked. The controller shows what it saw."
  :if ($mwPlaced) do={
    :put "It goes on trying. To take away what this text added instead:"
    :put "/interface wireguard peers remove [find where interface=\"wg-mastwire\"]"
    :put "/ip address remove [find where comment=\"mw:022ab1ba8040\"]"
    :put "/ip firewall filter remove [find where comment=\"mw:cb293e6770eb\"]"
    :put "/interface wireguard remove [find where comment=\"mw:1c663cf4d73c\"]"
    :put "/user remove [find where comment=\"mw:ebfab5059be7\"]"
    :put "/user group remove [find where comment=\"mw:da211e6a663b\"]"
    :foreach mwRow in=[/ip firewall address-list find where comment="mw:febe023d51d6"] do={
      :put "/ip service set api disabled=yes"
    }
    :foreach mwRow in=[/ip firewall address-list find where comment="mw:11aabecb86be"] do={
      :put "/system ntp client set enabled=no"
    }
    :put "/ip firewall address-list remove [find where address=10.10.0.1 list~\"^mw-\"]"
  } else={
    /interface wireguard peers remove [find where comment="mw:6953798876a2"]
    :put "The earlier tunnel of this router was left as it was."
  }
}
}
