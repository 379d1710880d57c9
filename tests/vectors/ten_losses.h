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
    {"mmdit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 attention=joint conditioning=modulated norm=pre qk_norm=1 text_encoder=clip dual=1 places=5",
     {0.6965706341, 0.8361523012, 0.7980126432, 0.7314269656, 0.7556718109, 0.7927705204, 0.6752540611, 0.6700686921, 0.7768396067, 0.5719319287}},
    {"mmdit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 attention=both conditioning=modulated norm=pre text_encoder=clip",
     {0.6978688306, 0.8350547478, 0.8613744879, 0.7346469232, 0.797006271, 0.8047938976, 0.6588408331, 0.6587320779, 0.7920246997, 0.6009870727}},
    {"uvit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 classes=4",
     {0.6570712772, 0.7755216669, 0.7614523101, 0.6992313785, 0.734300675, 0.7645888221, 0.6424607271, 0.6574559062, 0.7477068675, 0.6133841489}},
    {"ddpm size=4 channels=3 width=4 multipliers=12 blocks=1 groups=2 attention=2 attention_least=2 ",
     {0.8345764602, 0.9237461874, 0.9199950934, 0.7718990473, 0.7225109921, 0.8132660359, 0.6293693822, 0.6583292211, 0.7201795869, 0.6039313618}},
    {"adm size=4 channels=3 width=4 multipliers=12 blocks=1 groups=2 attention=2 attention_least=2 head_width=2 learn_sigma=0 classes=4",
     {0.6338636781, 0.6599984586, 0.7292653892, 0.7113868079, 0.7192064643, 0.7453295376, 0.6081709912, 0.6741262927, 0.7156767245, 0.6180101941}},
    {"ddpm size=4 channels=3 width=4 multipliers=12 blocks=1 groups=2 attention=2 attention_least=2 attention=window attention_most=2 window=2 scale_shift=1 enlarge=2",
     {0.7911923035, 0.80857816, 0.9599989002, 0.8513461205, 0.7171386598, 0.8029925868, 0.6793617168, 0.6584793587, 0.7778569148, 0.6609272953}},
    {"ddpm size=8 channels=3 width=4 multipliers=12 blocks=2 groups=2 attention=window attention_most=4 attention_least=4 window=4 head_width=2",
     {0.967616689, 0.9502698441, 0.9296655561, 0.8865759201, 0.7426819773, 0.7528769859, 0.6900025459, 0.7255017975, 0.7002878864, 0.7363893967}},
    {"adm size=4 channels=3 width=4 multipliers=12 blocks=1 groups=2 attention=2 attention_least=2 attention=window attention_most=2 window=2 head_width=2 learn_sigma=0 enlarge=2",
     {0.6402886493, 0.6745065365, 0.7326938186, 0.6883236913, 0.7385522186, 0.7477831377, 0.6120453593, 0.6674516292, 0.7294437493, 0.6180653553}},
    {"hdit size=8 channels=3 patch=1 width=8 levels=2 depth=2 depth_inner=1 window=4 head_width=4 mlp_ratio=2 enlarge=2",
     {0.8408930523, 0.7187396519, 0.7112956535, 0.7363736394, 0.6894395244, 0.6641515694, 0.6286890836, 0.6633486321, 0.6669135707, 0.6871295759}},
    {"hdit size=8 channels=3 patch=1 width=4 levels=3 depth=2 depth_inner=1 window=2 head_width=4 mlp_ratio=2 classes=4",
     {0.6855422451, 0.7040744386, 0.7042248566, 0.7002428497, 0.6715133238, 0.6646658473, 0.6158871802, 0.6563857317, 0.6683847711, 0.6840092028}},
    {"ldm-unet size=4 channels=3 width=4 multipliers=12 blocks=1 groups=2 attention=2 attention_least=2 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 heads=2",
     {0.8609659596, 0.9099668361, 0.8180684593, 0.7622443044, 0.7208194618, 0.7588768335, 0.6670890479, 0.6483774495, 0.7460409538, 0.6307395061}},
    {"ldm-unet size=4 channels=3 width=4 multipliers=12 blocks=1 groups=2 attention=2 attention_least=2 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 attention=window attention_most=2 window=2 heads=1",
     {0.841922304, 0.9777347896, 0.8721340943, 0.8898717381, 0.7473484999, 0.8402917424, 0.6669103466, 0.6942728813, 0.7382434513, 0.6368646193}},
    {"ldm-unet size=4 channels=3 width=4 multipliers=12 blocks=1 groups=2 attention=2 attention_least=2 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 heads=2 text_encoder=clip",
     {0.8620808778, 0.9070154418, 0.8209474392, 0.7531263538, 0.7218780532, 0.7582621165, 0.6638370402, 0.6465903792, 0.7458423181, 0.6297193226}},
    {"uvit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 time_mlp=1 text=1 text_encoder=clip",
     {0.6793757808, 0.782228378, 0.7617741499, 0.6819019484, 0.7505863911, 0.7691436535, 0.6400445515, 0.6486374344, 0.7443087947, 0.6122514165}},
    {"pixart size=4 channels=3 patch=2 width=12 depth=2 heads=2 mlp=12 interpolation=0.5 sides=1 learn_sigma=0 text_length=4 text_width=8",
     {0.9004840364, 0.7566879205, 0.8254124772, 0.819587893, 0.702264663, 0.8445301768, 0.6828612833, 0.7115710703, 0.8263999446, 0.6829141464}},
};

enum { INNER_STEPS = 3 };
static const struct inner_losses {
    const char *settings;
    double loss[2][10];
} inner_losses[] = {
    {"dit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 conditioning=modulated norm=pre classes=4",
     {{0.6794282696, 0.9063695607, 0.7983579607, 0.6987784674, 0.7859305451, 0.8179811606, 0.664580549, 0.7330290774, 0.722697986, 0.7541177681},
      {0.8422524738, 0.7174743891, 0.8371471385, 0.704008022, 0.5887260284, 0.8823424453, 0.5798735451, 0.7127650116, 0.6487420962, 0.6345601558}}},
    {"mmdit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 conditioning=modulated norm=pre text_encoder=clip",
     {{0.6394385065, 0.9134350185, 0.8035882969, 0.7216625407, 0.7952077469, 0.809111969, 0.6735784977, 0.7207083434, 0.7127114853, 0.8170434153},
      {0.9423915662, 0.7181551552, 0.8532353714, 0.7143776885, 0.582738432, 0.8274109647, 0.5567772481, 0.7155088333, 0.617172034, 0.6196206395}}},
};
