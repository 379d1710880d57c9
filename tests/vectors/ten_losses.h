/* ten_losses.h: written by oracle/ten_losses.py; do not edit. */
static const struct ten_losses {
    const char *settings;
    double loss[10];
} ten_losses[] = {
    {"dit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 time_width=6",
     {0.7299055135, 0.941943719, 0.8000104268, 0.7426736743, 0.7329695752, 0.8312785256, 0.6957135078, 0.6785389156, 0.7546225345, 0.5877129885}},
    {"dit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 conditioning=modulated norm=pre classes=4",
     {0.6794282696, 0.8185619961, 0.8811689505, 0.6835150107, 0.7761395288, 0.8074380739, 0.7010050723, 0.6709560991, 0.7821241479, 0.5999445023}},
    {"mmdit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 time_width=6",
     {0.727777971, 0.9251944765, 0.7980292399, 0.7352213639, 0.7161942162, 0.8381409142, 0.6927179641, 0.677987405, 0.7500653059, 0.5982187791}},
    {"mmdit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 conditioning=modulated norm=pre text_encoder=clip",
     {0.6394385065, 0.8744854791, 0.8277593935, 0.6792401648, 0.7310354064, 0.8099915084, 0.6318607005, 0.6655621561, 0.7693263752, 0.597301687}},
    {"mmdit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 attention=joint conditioning=modulated norm=pre qk_norm=1 text_encoder=clip",
     {0.6823211043, 0.8231754228, 0.8496494928, 0.6806868727, 0.7649263706, 0.8010414152, 0.6405844223, 0.687722878, 0.805115081, 0.6158743705}},
    {"mmdit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 attention=both conditioning=modulated norm=pre text_encoder=clip",
     {0.6978688306, 0.8350547478, 0.8613744879, 0.7346469232, 0.797006271, 0.8047938976, 0.6588408331, 0.6587320779, 0.7920246997, 0.6009870727}},
    {"uvit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 classes=4",
     {0.6570712772, 0.7755216669, 0.7614523101, 0.6992313785, 0.734300675, 0.7645888221, 0.6424607271, 0.6574559062, 0.7477068675, 0.6133841489}},
    {"ddpm size=4 channels=3 width=4 multipliers=12 blocks=1 groups=2 attention=2 attention_least=2 ",
     {0.8345764602, 0.9237461874, 0.9199950934, 0.7718990473, 0.7225109921, 0.8132660359, 0.6293693822, 0.6583292211, 0.7201795869, 0.6039313618}},
    {"adm size=4 channels=3 width=4 multipliers=12 blocks=1 groups=2 attention=2 attention_least=2 head_width=2 learn_sigma=0 classes=4",
     {0.6338636781, 0.6599984586, 0.7292653892, 0.7113868079, 0.7192064643, 0.7453295376, 0.6081709912, 0.6741262927, 0.7156767245, 0.6180101941}},
    {"ldm-unet size=4 channels=3 width=4 multipliers=12 blocks=1 groups=2 attention=2 attention_least=2 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 heads=2",
     {0.8609659596, 0.9099668361, 0.8180684593, 0.7622443044, 0.7208194618, 0.7588768335, 0.6670890479, 0.6483774495, 0.7460409538, 0.6307395061}},
    {"ldm-unet size=4 channels=3 width=4 multipliers=12 blocks=1 groups=2 attention=2 attention_least=2 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 heads=2 text_encoder=clip",
     {0.8620808778, 0.9070154418, 0.8209474392, 0.7531263538, 0.7218780532, 0.7582621165, 0.6638370402, 0.6465903792, 0.7458423181, 0.6297193226}},
    {"uvit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 time_mlp=1 text=1 text_encoder=clip",
     {0.6793757808, 0.782228378, 0.7617741499, 0.6819019484, 0.7505863911, 0.7691436535, 0.6400445515, 0.6486374344, 0.7443087947, 0.6122514165}},
};
